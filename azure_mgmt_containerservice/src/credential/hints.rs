//! What would be right when there is no token: by credential and by what Entra says. Pure.
//!
//! Source of the numbers: Microsoft Learn, "Microsoft Entra authentication and authorization error codes".

use super::{CredentialConfig, federated_token::Claims};

/// A sentence for whoever set the credential up; `None` when nobody needs to do anything.
pub(super) fn hint(config: &CredentialConfig, cause: &str, claims: Option<&Claims>) -> Option<String> {
    if let Some(hint) = of_number(cause, claims) {
        return Some(hint);
    }
    let says = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    let hint = match config {
        CredentialConfig::WorkloadIdentity { .. } if says(&["token file"]) => {
            "the Azure Workload Identity webhook mounts it in pods with the label azure.workload.identity/use=true \
             whose service account has the annotation azure.workload.identity/client-id"
        }
        CredentialConfig::ManagedIdentity { client_id: Some(_) }
            if says(&["dentity not found", "has not been assigned"]) =>
        {
            "assign the identity to the machines that the operator runs on, or correct the client id"
        }
        CredentialConfig::ManagedIdentity { client_id: None }
            if says(&["dentity not found", "has not been assigned"]) =>
        {
            "the machine has no system-assigned identity, or several others: name one by its client id"
        }
        CredentialConfig::ManagedIdentity { .. }
            if says(&["within", "169.254", "error sending request", "retry policy expired"]) =>
        {
            "the metadata endpoint 169.254.169.254 does not answer: it exists on Azure's machines only, and a \
             network policy may stand in front of it"
        }
        CredentialConfig::DeveloperTools => "sign in with az login or azd auth login",
        CredentialConfig::WorkloadIdentity { .. } | CredentialConfig::ClientSecret { .. }
            if says(&["within", "error sending request", "retry policy expired"]) =>
        {
            "the authority does not answer: check its address, the proxy and the network policy"
        }
        CredentialConfig::WorkloadIdentity { .. }
        | CredentialConfig::ManagedIdentity { .. }
        | CredentialConfig::ClientSecret { .. } => return None,
    };
    Some(hint.to_owned())
}

/// By the number in Entra's message.
fn of_number(cause: &str, claims: Option<&Claims>) -> Option<String> {
    const NUMBERS: &[(&[&str], &str)] = &[
        (
            &["700016", "7000112"],
            "no application of this client id can sign in to this tenant: check both ids, and that it is enabled",
        ),
        (&["90002", "900021", "900023"], "no such tenant in this cloud: check the tenant id and the cloud"),
        (&["7000215"], "the secret is wrong: it is the secret's value, not its id"),
        (&["7000222"], "the secret has expired: make a new one"),
        (&["700024", "700027"], "the federated token has expired or is not signed by its issuer"),
        (
            &["500011"],
            "the audience is not known in this tenant: check the cloud, the endpoint and the audience",
        ),
        (&["53003"], "a Conditional Access policy for workload identities forbids it"),
    ];
    let number: String = cause.split_once("AADSTS")?.1.chars().take_while(char::is_ascii_digit).collect();
    if matches!(number.as_str(), "70021" | "700211" | "700212" | "700213") {
        let wanted = claims.map_or_else(
            || {
                "this cluster's issuer, the service account as subject, and the audience of its token"
                    .to_owned()
            },
            |Claims { issuer, subject, audience }| {
                format!("issuer {issuer}, subject {subject}, audience {audience}")
            },
        );
        return Some(format!("the identity needs a federated credential with exactly: {wanted}"));
    }
    let known = NUMBERS.iter().find(|(numbers, _)| numbers.contains(&number.as_str()));
    known.map(|(_, hint)| (*hint).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload() -> CredentialConfig {
        CredentialConfig::WorkloadIdentity {
            tenant_id: "t".to_owned(),
            client_id: "c".to_owned(),
            token_file: "/f".into(),
            authority: crate::Cloud::Public.authority(),
        }
    }

    #[test]
    fn each_cause_says_what_would_be_right() {
        let managed =
            |id: Option<&str>| CredentialConfig::ManagedIdentity { client_id: id.map(str::to_owned) };
        let claims = Claims {
            issuer: "https://issuer".to_owned(),
            subject: "system:serviceaccount:tidegate:tidegate".to_owned(),
            audience: "api://AzureADTokenExchange".to_owned(),
        };
        let table = [
            (workload(), "AADSTS700016: no such", None, Some("check both ids")),
            (workload(), "AADSTS90002: no tenant", None, Some("check the tenant id and the cloud")),
            (workload(), "AADSTS700213: no match", None, Some("this cluster's issuer")),
            (
                workload(),
                "AADSTS70021: no match",
                Some(&claims),
                Some(
                    "issuer https://issuer, subject system:serviceaccount:tidegate:tidegate, audience api://",
                ),
            ),
            (
                workload(),
                "the federated token file /f is empty",
                None,
                Some("azure.workload.identity/use=true"),
            ),
            (workload(), "no token within 30s", None, Some("the authority does not answer")),
            (workload(), "AADSTS7000222: expired", None, Some("make a new one")),
            (workload(), "AADSTS90033: try again", None, None),
            (managed(Some("c")), "Identity not found", None, Some("assign the identity")),
            (managed(None), "Identity not found", None, Some("no system-assigned identity")),
            (managed(None), "no token within 30s", None, Some("169.254.169.254 does not answer")),
            (managed(None), "AADSTS53003: blocked", None, Some("Conditional Access")),
            (CredentialConfig::DeveloperTools, "not found on path", None, Some("az login")),
        ];
        for (config, cause, claims, expected) in table {
            let hint = hint(&config, cause, claims);
            assert_eq!(hint.is_some(), expected.is_some(), "{cause}: {hint:?}");
            let (hint, expected) = (hint.unwrap_or_default(), expected.unwrap_or_default());
            assert!(hint.contains(expected), "{cause}: {hint}");
        }
    }
}
