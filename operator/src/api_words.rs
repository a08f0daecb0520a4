//! What the errors of a Kubernetes API server say to people: its own message, once, and without what a
//! program needs of it.

mod patterns;

use std::error::Error;

const NOT_INSTALLED: &str = "Tidegate is not installed on this cluster: is it the hub (--context chooses)? The chart installs it (docs/install.md); its definitions alone: tidegate crds | kubectl apply --server-side -f -";

/// An error with its causes, each said once.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut said = Said::default();
    for cause in error.chain() {
        match cause.downcast_ref::<kube::Error>() {
            Some(error) => {
                said.add(words(error));
                break;
            }
            None => said.add(cause.to_string()),
        }
    }
    said.text()
}

/// What went wrong with a call: what the API server answered, or why it gave no answer.
pub(crate) fn words(error: &kube::Error) -> String {
    let mut said = Said::default();
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others speak for themselves")]
    match error {
        kube::Error::Api(status) if lacks_definitions(status) => {
            return NOT_INSTALLED.to_owned();
        }
        kube::Error::Api(status) if status.message.is_empty() => {
            return format!("the API server answered {} {}", status.code, status.reason)
                .trim_end()
                .to_owned();
        }
        kube::Error::Api(status) => return patterns::explained(&status.message),
        // Their own words are the name of a library, and the cause again.
        kube::Error::Service(_) | kube::Error::HyperError(_) => {}
        other => said.add(other.to_string()),
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        said.add(error.to_string());
        cause = error.source();
    }
    said.text()
}

/// Whether the API server does not serve the resource at all: a resource that it serves has its name
/// in the message when an object is missing.
fn lacks_definitions(status: &kube::core::Status) -> bool {
    let unknown = ["404 page not found", "the server could not find the requested resource"];
    status.code == 404 && unknown.contains(&status.message.trim())
}

/// Sentences, none of which is part of an earlier one.
#[derive(Default)]
struct Said(Vec<String>);

impl Said {
    fn add(&mut self, words: String) {
        if !self.0.iter().any(|said| said.contains(&words)) {
            self.0.push(words);
        }
    }

    fn text(&self) -> String {
        self.0.join(": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;
    use kube::core::Status;

    fn refused(code: u16, message: &str, reason: &str) -> kube::Error {
        kube::Error::Api(Status::failure(message, reason).with_code(code).boxed())
    }

    fn said(error: kube::Error) -> String {
        let error = Err::<(), _>(error).context("the UpgradePlans cannot be listed").unwrap_err();
        chain(&error)
    }

    #[test]
    fn an_answer_is_told_once_and_without_its_machinery() {
        let message = "upgradeplans.tidegate.dev is forbidden: User \"ann\" cannot list resource";
        let told = said(refused(403, message, "Forbidden"));
        assert_eq!(told, format!("the UpgradePlans cannot be listed: {message}"));
        let told = said(refused(503, "", "ServiceUnavailable"));
        assert!(told.ends_with("listed: the API server answered 503 ServiceUnavailable"), "{told}");
    }

    #[test]
    fn a_hub_without_the_definitions_is_told_from_an_object_that_is_missing() {
        for unknown in ["404 page not found\n", "the server could not find the requested resource"] {
            let told = said(refused(404, unknown, "Failed to parse error data"));
            assert!(told.contains("Tidegate is not installed") && told.contains("tidegate crds |"), "{told}");
        }
        let told = said(refused(404, "namespaces \"platform\" not found", "NotFound"));
        assert!(told.ends_with("listed: namespaces \"platform\" not found"), "{told}");
    }

    #[test]
    fn causes_are_said_once_when_no_answer_came() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "Connection refused");
        let told = said(kube::Error::Service(Box::new(refused)));
        assert_eq!(told, "the UpgradePlans cannot be listed: Connection refused");
        let nested = anyhow::anyhow!("no file").context("kubeconfig: no file").context("no cluster");
        assert_eq!(chain(&nested), "no cluster: kubeconfig: no file");
    }
}
