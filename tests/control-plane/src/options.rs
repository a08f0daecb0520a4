//! What a caller can choose about a control plane.

/// How a control plane is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name within the environment, and its prefix in etcd: lower-case letters, digits and
    /// dashes.
    pub name: String,
    /// N makes it behave as Kubernetes 1.N (`--emulated-version`); `None` as its binary's version.
    pub emulated_minor: Option<u32>,
    /// Whether kube-controller-manager runs: service accounts, ReplicaSets, disruption budgets,
    /// garbage collection, namespace deletion.
    pub controllers: bool,
    /// Whether kube-scheduler runs.
    pub scheduler: bool,
    /// Whose tokens authenticate, besides client certificates and service-account tokens.
    pub entra: Option<EntraIssuer>,
    /// Whether every request is recorded, at level Metadata, in
    /// [`ControlPlane::audit_log`](crate::ControlPlane::audit_log).
    pub audit_log: bool,
}

impl Options {
    /// Only an API server, of the newest version.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            emulated_minor: None,
            controllers: false,
            scheduler: false,
            entra: None,
            audit_log: false,
        }
    }

    /// With kube-controller-manager and kube-scheduler, as workloads need.
    #[must_use]
    pub fn workloads(mut self) -> Self {
        self.controllers = true;
        self.scheduler = true;
        self
    }

    /// Behaving as Kubernetes 1.`minor`.
    #[must_use]
    pub fn emulating(mut self, minor: u32) -> Self {
        self.emulated_minor = Some(minor);
        self
    }

    /// Accepting tokens of `issuer`.
    #[must_use]
    pub fn entra(mut self, issuer: EntraIssuer) -> Self {
        self.entra = Some(issuer);
        self
    }

    /// Recording every request.
    #[must_use]
    pub fn audit_log(mut self) -> Self {
        self.audit_log = true;
        self
    }
}

/// A token issuer that takes the place of Microsoft Entra.
///
/// The API server reads the discovery document when it starts, and only after 10 s again if that
/// fails: the issuer should be up first.
#[derive(Debug, Clone)]
pub struct EntraIssuer {
    /// The `iss` of the tokens, https; the discovery document lies below it.
    pub issuer_url: String,
    /// The authority of the issuer's TLS certificate, PEM.
    pub ca_pem: String,
    /// The `aud` of the tokens; on AKS `6dae42f8-4368-4678-94ff-3960e28e3630`.
    pub audience: String,
}
