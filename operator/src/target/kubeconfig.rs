//! A kubeconfig from a Secret is data: whatever would run a program, read a file, take a
//! detour or trust anybody is refused (compare CVE-2022-24817 in Flux).

use kube::config::{AuthInfo, Cluster, Kubeconfig};
use url::Url;

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

/// Reads a kubeconfig, if all of it is harmless (also what its current context does not use), and
/// keeps what its current context needs.
///
/// # Errors
/// Naming the field that is not allowed, or missing. Never quotes the file.
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
    let Some(context) = config.contexts.iter().find(|context| context.name == *current) else {
        return refused("current-context", "names no context of this kubeconfig");
    };
    let (cluster, user) = match &context.context {
        Some(context) => (context.cluster.as_str(), context.user.as_deref().unwrap_or_default()),
        None => ("", ""),
    };
    let clusters = config.clusters.iter().filter(|named| named.cluster.is_some());
    let Some(cluster) = clusters.clone().find(|named| named.name == cluster) else {
        return refused("contexts[].context.cluster", "names no cluster of this kubeconfig");
    };
    let users = config.auth_infos.iter().filter(|named| named.auth_info.is_some());
    let Some(user) = users.clone().find(|named| named.name == user) else {
        return refused("contexts[].context.user", "names no user of this kubeconfig");
    };
    Ok(Kubeconfig {
        clusters: vec![cluster.clone()],
        auth_infos: vec![user.clone()],
        contexts: vec![context.clone()],
        current_context: config.current_context.clone(),
        ..Kubeconfig::default()
    })
}

fn check_cluster(path: &str, cluster: &Cluster) -> Result<(), RefusedKubeconfig> {
    let field = |name: &str| format!("{path}.{name}");
    let server = cluster.server.as_deref().and_then(|server| Url::parse(server).ok());
    let https = server.is_some_and(|server| {
        server.scheme() == "https"
            && cluster.server.as_ref().is_some_and(|text| text.to_lowercase().starts_with("https://"))
            && server.has_host()
            && (server.username(), server.password()) == ("", None)
    });
    if !https {
        return refused(field("server"), "must be an https:// address without user and password");
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
        let inline = "{client-certificate-data: Yw==, client-key-data: aw==}";
        let server =
            "{server: 'https://1.2.3.4:6443', certificate-authority-data: Yw==, tls-server-name: api}";
        assert!(sanitise(&kubeconfig(server, inline)).is_ok());
    }

    #[test]
    fn keeps_only_what_the_current_context_needs() {
        let text = "
current-context: b
contexts: [{name: a, context: {cluster: a, user: a}}, {name: b, context: {cluster: b, user: b}}]
clusters: [{name: a, cluster: {server: 'https://a'}}, {name: b, cluster: {server: 'https://b'}}]
users: [{name: a, user: {token: ta}}, {name: b, user: {token: tb}}]
extensions: [{name: x, extension: {}}]
";
        let kept = sanitise(text).unwrap();
        let server = kept.clusters[0].cluster.as_ref().and_then(|cluster| cluster.server.as_deref());
        assert_eq!(server, Some("https://b"));
        assert_eq!((kept.clusters.len(), kept.auth_infos.len(), kept.contexts.len()), (1, 1, 1));
        assert!(kept.extensions.is_none());
        let elsewhere = text.replace("{token: ta}", "{exec: {command: sh}}");
        assert_eq!(sanitise(&elsewhere).unwrap_err().field, "users[0].user.exec", "used or not");
        let second = format!("{text}---\nusers: [{{name: c, user: {{tokenFile: /f}}}}]\n");
        assert_eq!(sanitise(&second).unwrap_err().field, "users[2].user.tokenFile", "in each document");
    }

    #[test]
    fn a_context_names_a_cluster_and_a_user_that_are_there() {
        let good = kubeconfig(GOOD, "{token: t}");
        let error = |from: &str, to: &str| sanitise(&good.replace(from, to)).unwrap_err().to_string();
        assert!(
            error("context: {cluster: c", "context: {cluster: d").starts_with("contexts[].context.cluster")
        );
        assert!(error("user: u}", "user: v}").starts_with("contexts[].context.user"));
        assert!(error(", user: u}", "}").starts_with("contexts[].context.user"), "nobody is no default user");
        assert!(error("current-context: c", "current-context: d").starts_with("current-context"));
        assert!(error("user: {token: t}", "user: null").starts_with("contexts[].context.user"));
    }

    #[test]
    fn never_quotes_the_file() {
        for text in ["users: hush", "users: [{name: u, user: {token: [hush]}}]", "hush: [", "{hush: {}}"] {
            let error = sanitise(text).unwrap_err().to_string();
            assert!(!error.contains("hush"), "{error}");
        }
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
            ("{server: 'HTTP://example.test'}", "{token: t}", "clusters[0].cluster.server"),
            ("{server: 'https://'}", "{token: t}", "clusters[0].cluster.server"),
            ("{server: 'https://me:hush@example.test'}", "{token: t}", "clusters[0].cluster.server"),
            ("{certificate-authority-data: Yw==}", "{token: t}", "clusters[0].cluster.server"),
            (GOOD, "{username: me, password: hush}", "users[0].user.username"),
            (GOOD, "{token: t, as-groups: ['system:masters']}", "users[0].user.as-groups"),
            (GOOD, "{token: t, as-uid: '0'}", "users[0].user.as-uid"),
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
