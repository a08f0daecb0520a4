//! Starts, stops and restarts the components of a control plane.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, GetParams, PostParams};
use tokio::sync::Mutex;

use crate::api_server::ApiServer;
use crate::control_plane::ControlPlane;
use crate::controllers::Controller;
use crate::environment::Shared;
use crate::identity::ADMIN;
use crate::options::Options;
use crate::ports::Port;
use crate::process::{Process, says_port_taken};
use crate::wait::{Deadline, POLL, READY_WITHIN};

/// How long a component may take to end by itself. kube-apiserver would wait up to a minute for
/// clients to end their watches; all that matters is in etcd, so a kill loses nothing.
const GRACE: Duration = Duration::from_secs(1);

/// What runs at the moment, and as which version.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) emulated_minor: Option<u32>,
    api_server: Option<Process>,
    controllers: Vec<(Controller, Process)>,
}

impl ControlPlane {
    pub(crate) async fn start(shared: Arc<Shared>, options: Options) -> Result<Self> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(
            !options.name.is_empty() && options.name.chars().all(valid),
            "a name is made of lower-case letters, digits and dashes"
        );
        let folder = shared.folder.path().join(&options.name);
        std::fs::create_dir(&folder)
            .with_context(|| format!("creating {}: a second one of that name?", folder.display()))?;
        let etcd_url = shared.etcd.url();
        let api_server = ApiServer::prepare(&folder, &shared.authority, etcd_url, &options)?;
        let mut control_plane = Self {
            running: Mutex::new(Running {
                emulated_minor: options.emulated_minor,
                api_server: None,
                controllers: Vec::new(),
            }),
            api_server,
            options,
            folder,
            port: Port::reserve()?,
            shared,
        };
        control_plane.start_on_a_free_port().await?;
        control_plane.open_discovery().await?;
        control_plane.write_kubeconfigs()?;
        control_plane.ensure_controllers().await?;
        Ok(control_plane)
    }

    /// Makes it behave as Kubernetes 1.`minor`: all components restart, the API server on the same
    /// port and data, and is unreachable meanwhile, for about 3 s.
    ///
    /// kube-controller-manager and kube-scheduler restart as well, since they have to emulate the
    /// same version: from 1.34 on, the scheduler waits for `resource.k8s.io/v1`, which a 1.33 API
    /// server does not serve, and schedules nothing.
    ///
    /// # Errors
    /// If a component does not come back, as with a minor that its binary cannot emulate. The
    /// version is the former one again then, and [`ControlPlane::start_api_server`] goes back to it.
    pub async fn set_emulated_minor(&self, minor: u32) -> Result<()> {
        self.stop().await?;
        let former = self.running.lock().await.emulated_minor.replace(minor);
        let started = self.start_api_server().await;
        if started.is_err() {
            self.stop().await?;
            self.running.lock().await.emulated_minor = former;
        }
        started
    }

    /// Stops and starts the API server. The controllers go on.
    ///
    /// # Errors
    /// If it does not come back.
    pub async fn restart_api_server(&self) -> Result<()> {
        self.stop_api_server().await?;
        self.start_api_server().await
    }

    /// Stops the API server; connections are refused until it starts again.
    ///
    /// # Errors
    /// If it cannot be signalled.
    pub async fn stop_api_server(&self) -> Result<()> {
        let process = self.running.lock().await.api_server.take();
        match process {
            Some(process) => process.stop(GRACE).await,
            None => Ok(()),
        }
    }

    /// Starts the API server, unless it runs, waits until it is ready, and starts the controllers
    /// that do not run.
    ///
    /// # Errors
    /// If a component does not become ready.
    pub async fn start_api_server(&self) -> Result<()> {
        self.ensure_api_server().await.inspect_err(|_| self.shared.folder.keep())?;
        self.ensure_controllers().await.inspect_err(|_| self.shared.folder.keep())
    }

    /// Stops all components. [`ControlPlane::start_api_server`] starts them again.
    ///
    /// # Errors
    /// If one cannot be signalled.
    pub async fn stop(&self) -> Result<()> {
        let controllers = std::mem::take(&mut self.running.lock().await.controllers);
        for (_, process) in controllers {
            process.stop(GRACE).await?;
        }
        self.stop_api_server().await
    }

    async fn start_on_a_free_port(&mut self) -> Result<()> {
        let mut attempts = 3;
        loop {
            attempts -= 1;
            match self.ensure_api_server().await {
                Err(error) if attempts > 0 && says_port_taken(&error) => {
                    self.port = Port::reserve()?;
                }
                result => return result,
            }
        }
    }

    async fn ensure_api_server(&self) -> Result<()> {
        let mut running = self.running.lock().await;
        if let Some(process) = &mut running.api_server
            && process.exited()?.is_none()
        {
            return Ok(());
        }
        let program = self.shared.assets.join("kube-apiserver");
        let port = self.port.number();
        let arguments = self.api_server.arguments(port, running.emulated_minor);
        let log = self.folder.join("kube-apiserver.log");
        let mut process = Process::start(&self.shared.group, &program, &arguments, &log)?;
        let client = self.client()?;
        let deadline = Deadline::after(READY_WITHIN);
        while !answers_ready(&client).await {
            process.check_running()?;
            if deadline.passed() {
                return Err(process.failure("is not ready"));
            }
            tokio::time::sleep(POLL).await;
        }
        running.api_server = Some(process);
        Ok(())
    }

    /// Starts the controllers that should run and do not.
    async fn ensure_controllers(&self) -> Result<()> {
        let Options { controllers, scheduler, .. } = self.options;
        let wanted = [(Controller::Manager, controllers), (Controller::Scheduler, scheduler)];
        let mut running = self.running.lock().await;
        for (controller, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
            self.ensure_controller(&mut running, controller)?;
        }
        if controllers {
            self.wait_for_default_account(&mut running).await?;
        }
        Ok(())
    }

    fn ensure_controller(&self, running: &mut Running, controller: Controller) -> Result<()> {
        let position = |(other, _): &(Controller, Process)| *other == controller;
        if let Some(index) = running.controllers.iter().position(position) {
            if running.controllers[index].1.exited()?.is_none() {
                return Ok(());
            }
            running.controllers.remove(index);
        }
        let program = self.shared.assets.join(controller.program());
        let log = self.folder.join(format!("{}.log", controller.program()));
        let arguments = controller.arguments(&self.folder, running.emulated_minor);
        let process = Process::start(&self.shared.group, &program, &arguments, &log)?;
        running.controllers.push((controller, process));
        Ok(())
    }

    /// Pods are refused before their namespace has its default service account.
    async fn wait_for_default_account(&self, running: &mut Running) -> Result<()> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client()?, "default");
        let deadline = Deadline::after(READY_WITHIN);
        while !exists(&accounts, "default").await {
            for (_, process) in &mut running.controllers {
                process.check_running()?;
                if deadline.passed() {
                    return Err(process.failure("has not created the default service account"));
                }
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Lets anybody read the service-account issuer's discovery document and keys, as those of an
    /// AKS cluster with an OIDC issuer are public.
    async fn open_discovery(&self) -> Result<()> {
        let bindings: Api<ClusterRoleBinding> = Api::all(self.client()?);
        let group = "rbac.authorization.k8s.io".to_owned();
        let binding = ClusterRoleBinding {
            metadata: ObjectMeta {
                name: Some("public-service-account-issuer-discovery".to_owned()),
                ..ObjectMeta::default()
            },
            role_ref: RoleRef {
                api_group: group.clone(),
                kind: "ClusterRole".to_owned(),
                name: "system:service-account-issuer-discovery".to_owned(),
            },
            subjects: Some(vec![Subject {
                api_group: Some(group),
                kind: "Group".to_owned(),
                name: "system:unauthenticated".to_owned(),
                namespace: None,
            }]),
        };
        bindings
            .create(&PostParams::default(), &binding)
            .await
            .context("opening the issuer's discovery document")?;
        Ok(())
    }

    fn write_kubeconfigs(&self) -> Result<()> {
        self.write_kubeconfig(&self.admin_kubeconfig(), ADMIN.0, ADMIN.1)?;
        for controller in [Controller::Manager, Controller::Scheduler] {
            let path = self.folder.join(controller.kubeconfig());
            self.write_kubeconfig(&path, controller.user(), &[])?;
        }
        Ok(())
    }
}

async fn answers_ready(client: &kube::Client) -> bool {
    let Ok(request) = kube::core::Request::new("").get("readyz", &GetParams::default()) else {
        return false;
    };
    let answer = tokio::time::timeout(Duration::from_secs(2), client.request_text(request)).await;
    matches!(answer, Ok(Ok(text)) if text == "ok")
}

async fn exists(accounts: &Api<ServiceAccount>, name: &str) -> bool {
    let answer = tokio::time::timeout(Duration::from_secs(2), accounts.get_opt(name)).await;
    matches!(answer, Ok(Ok(Some(_))))
}
