//! kube-controller-manager and kube-scheduler: their flags.

use std::path::Path;

/// What a control plane runs besides its API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controller {
    /// kube-controller-manager.
    Manager,
    /// kube-scheduler.
    Scheduler,
}

impl Controller {
    /// The name of the binary.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Manager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
        }
    }

    /// The user that RBAC's default roles know it as.
    pub(crate) fn user(self) -> &'static str {
        match self {
            Self::Manager => "system:kube-controller-manager",
            Self::Scheduler => "system:kube-scheduler",
        }
    }

    /// The command line; `folder` holds the API server's files.
    pub(crate) fn arguments(self, folder: &Path, emulated_minor: Option<u32>) -> Vec<String> {
        let file = |name: &str| folder.join(name).display().to_string();
        let mut arguments = vec![
            format!("--kubeconfig={}", file(&self.kubeconfig())),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
            "--profiling=false".to_owned(),
            // A fleet's worth of changes in seconds; the default of 20/s is for long days.
            "--kube-api-qps=200".to_owned(),
            "--kube-api-burst=400".to_owned(),
            "--v=0".to_owned(),
        ];
        if let Some(minor) = emulated_minor {
            arguments.push(format!("--emulated-version=kube=1.{minor}"));
        }
        if self == Self::Manager {
            arguments.extend([
                // What is left out would want a cloud, or a pod network.
                "--controllers=*,-node-ipam-controller,-node-route-controller,\
                 -service-lb-controller"
                    .to_owned(),
                "--use-service-account-credentials".to_owned(),
                format!("--service-account-private-key-file={}", file("service-account.key")),
                format!("--root-ca-file={}", file("ca.crt")),
            ]);
        }
        arguments
    }

    /// The name of its kubeconfig within the control plane's folder.
    pub(crate) fn kubeconfig(self) -> String {
        format!("{}.kubeconfig", self.program())
    }
}
