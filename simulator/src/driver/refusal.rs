//! What an answer to an eviction means.
//!
//! Pure: reads the API server's status object. The rules are those of the Eviction
//! API (Kubernetes documentation, "API-initiated Eviction").

use kube::core::Status;

/// What became of the attempt to evict one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Eviction {
    /// It was evicted, or is not there any more.
    Accepted,
    /// A disruption budget, or the API server's rules, stand against it for now.
    Refused {
        /// Name of the budget, when one was named.
        budget: Option<String>,
        /// The API server's words.
        message: String,
    },
    /// The API server was away or overloaded: nothing is known.
    Unknown,
}

/// Reads the status object of a failed eviction.
pub(super) fn read_refusal(status: &Status) -> Eviction {
    let cause = status
        .details
        .iter()
        .flat_map(|details| &details.causes)
        .find(|cause| cause.reason == "DisruptionBudget");
    match (status.code, cause) {
        (404, _) => Eviction::Accepted,
        (429, Some(cause)) => Eviction::Refused {
            budget: budget_name(&cause.message),
            message: format!("{} {}", status.message.trim_end(), cause.message),
        },
        // Too many requests altogether, or the API server is unwell.
        (429 | 502..=504, _) => Eviction::Unknown,
        // 500 includes the refusal of pods that more than one budget covers.
        _ => Eviction::Refused { budget: None, message: status.message.clone() },
    }
}

/// The name in `The disruption budget NAME needs 3 healthy pods and has 3 currently`
/// and the API server's other sentences about budgets.
fn budget_name(message: &str) -> Option<String> {
    let rest = message.split_once("isruption budget ")?.1;
    rest.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: serde_json::Value) -> Eviction {
        read_refusal(&serde_json::from_value(body).unwrap())
    }

    #[test]
    fn a_budget_is_named() {
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "Cannot evict pod as it would violate the pod's disruption budget.",
            "reason": "TooManyRequests", "code": 429,
            "details": { "causes": [{
                "reason": "DisruptionBudget",
                "message": "The disruption budget web needs 3 healthy pods and has 3 currently",
            }] },
        });
        let Eviction::Refused { budget, message } = read(body) else { panic!("not a refusal") };
        assert_eq!(budget.as_deref(), Some("web"));
        assert!(message.starts_with("Cannot evict pod") && message.ends_with("3 currently"), "{message}");
    }

    #[test]
    fn every_sentence_about_budgets_names_it() {
        for sentence in [
            "The disruption budget web is still being processed by the server.",
            "The disruption budget web does not allow evicting pods currently because it failed sync: x",
        ] {
            assert_eq!(budget_name(sentence).as_deref(), Some("web"), "{sentence}");
        }
        assert_eq!(budget_name("no"), None);
    }

    #[test]
    fn overload_is_no_refusal_and_absence_no_failure() {
        assert_eq!(read(json!({ "code": 429, "message": "too many requests" })), Eviction::Unknown);
        assert_eq!(read(json!({ "code": 503, "message": "starting" })), Eviction::Unknown);
        assert_eq!(read(json!({ "code": 404, "message": "pods \"a\" not found" })), Eviction::Accepted);
        let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        let refused = Eviction::Refused { budget: None, message: message.to_owned() };
        assert_eq!(read(json!({ "code": 500, "message": message })), refused);
    }
}
