//! A kubeconfig from a Secret is data: whatever would run a program, read a file, take a
//! detour or trust anybody is refused (compare CVE-2022-24817 in Flux).

use kube::config::{AuthInfo, Cluster, Kubeconfig};

/// Why a kubeconfig is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub(crate) struct RefusedKubeconfig {
    /// The path within the kubeconfig.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

fn refused<T>(field: impl Into<String>, problem: &str) -> Result<T, RefusedKubeconfig> {
    Err(RefusedKubeconfig { field: field.into(), problem: problem.to_owned() })
}

/// Reads a kubeconfig and keeps only what its current context needs, if all of it is harmless.
///
/// # Errors
/// Naming the field that is not allowed, or missing.
pub(super) fn sanitise(text: &str) -> Result<Kubeconfig, RefusedKubeconfig> {
    let Ok(config) = Kubeconfig::from_yaml(text) else {
        return refused("kubeconfig", "is not a kubeconfig in YAML");
    };
    for (index, user) in config.auth_infos.iter().enumerate() {
        if let Some(auth) = &user.auth_info {
            check_user(&format!("users[{index}].user"), auth)?;
        }
    }
    for (index, cluster) in config.clusters.iter().enumerate() {
        if let Some(cluster) = &cluster.cluster {
            check_cluster(&format!("clusters[{index}].cluster"), cluster)?;
        }
    }
    let Some(current) = &config.current_context else {
        return refused("current-context", "is missing: name the context to use");
    };
    if !config.contexts.iter().any(|context| context.name == *current) {
        return refused("current-context", "names no context of this kubeconfig");
    }
    Ok(config)
}

fn check_cluster(path: &str, cluster: &Cluster) -> Result<(), RefusedKubeconfig> {
    let field = |name: &str| format!("{path}.{name}");
    let https = cluster.server.as_ref().is_some_and(|server| server.to_lowercase().starts_with("https://"));
    if !https {
        return refused(field("server"), "must be an https:// address");
    }
    if cluster.insecure_skip_tls_verify == Some(true) {
        return refused(field("insecure-skip-tls-verify"), "is not allowed: give certificate-authority-data");
    }
    if cluster.certificate_authority.is_some() {
        return refused(
            field("certificate-authority"),
            "is not allowed, it names a file: use certificate-authority-data",
        );
    }
    if cluster.proxy_url.is_some() {
        return refused(field("proxy-url"), "is not allowed");
    }
    Ok(())
}

fn check_user(path: &str, auth: &AuthInfo) -> Result<(), RefusedKubeconfig> {
    let field = |name: &str| format!("{path}.{name}");
    let inline = "is not allowed: use token, or client-certificate-data with client-key-data";
    let forbidden = [
        ("exec", auth.exec.is_some()),
        ("auth-provider", auth.auth_provider.is_some()),
        ("tokenFile", auth.token_file.is_some()),
        ("client-certificate", auth.client_certificate.is_some()),
        ("client-key", auth.client_key.is_some()),
        ("username", auth.username.is_some()),
        ("password", auth.password.is_some()),
        ("as", auth.impersonate.is_some()),
        ("as-groups", auth.impersonate_groups.is_some()),
        ("as-uid", auth.impersonate_uid.is_some()),
        ("as-user-extra", auth.impersonate_user_extra.is_some()),
    ];
    match forbidden.iter().find(|(_, present)| *present) {
        Some((name, _)) => refused(field(name), inline),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {cluster}}}]\nusers: [{{name: u, user: {user}}}]\n"
        )
    }

    const GOOD: &str = "{server: 'https://example.test'}";

    #[test]
    fn takes_what_is_only_data() {
        assert!(sanitise(&kubeconfig(GOOD, "{token: t}")).is_ok());
    }

    #[test]
    fn names_the_field_that_is_not_allowed() {
        let cases = [
            (
                GOOD,
                "{exec: {apiVersion: client.authentication.k8s.io/v1, command: sh}}",
                "users[0].user.exec",
            ),
            (GOOD, "{auth-provider: {name: gcp, config: {}}}", "users[0].user.auth-provider"),
            (GOOD, "{tokenFile: /etc/passwd}", "users[0].user.tokenFile"),
            (GOOD, "{client-key: /k, client-certificate: /c}", "users[0].user.client-certificate"),
            (GOOD, "{token: t, as: admin}", "users[0].user.as"),
            ("{server: 'http://example.test'}", "{token: t}", "clusters[0].cluster.server"),
            ("{server: 'https://a', proxy-url: 'http://b'}", "{token: t}", "clusters[0].cluster.proxy-url"),
            (
                "{server: 'https://a', certificate-authority: /f}",
                "{token: t}",
                "clusters[0].cluster.certificate-authority",
            ),
            (
                "{server: 'https://a', insecure-skip-tls-verify: true}",
                "{token: t}",
                "clusters[0].cluster.insecure-skip-tls-verify",
            ),
        ];
        for (cluster, user, field) in cases {
            let error = sanitise(&kubeconfig(cluster, user)).unwrap_err();
            assert_eq!(error.field, field);
        }
        assert_eq!(sanitise("[").unwrap_err().field, "kubeconfig");
        assert_eq!(sanitise("{}").unwrap_err().field, "current-context");
    }
}
