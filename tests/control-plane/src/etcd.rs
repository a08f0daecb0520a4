//! The etcd that all control planes of an environment share.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::group::Group;
use crate::ports::Port;
use crate::process::{Process, says_port_taken};
use crate::wait::{Deadline, POLL, READY_WITHIN};

/// A running etcd, serving plain HTTP on loopback.
#[derive(Debug)]
pub(crate) struct Etcd {
    _process: Process,
    client: Port,
    _peer: Port,
}

impl Etcd {
    /// Starts etcd with its data and log in `folder`, and waits until it answers.
    pub(crate) async fn start(group: &Group, assets: &Path, folder: &Path) -> Result<Self> {
        let mut attempts = 3;
        loop {
            attempts -= 1;
            match Self::try_start(group, assets, folder).await {
                Err(error) if attempts > 0 && says_port_taken(&error) => {}
                result => return result,
            }
        }
    }

    /// The address that API servers use.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.client.number())
    }

    async fn try_start(group: &Group, assets: &Path, folder: &Path) -> Result<Self> {
        let (client, peer) = (Port::reserve()?, Port::reserve()?);
        let client_url = format!("http://127.0.0.1:{}", client.number());
        let peer_url = format!("http://127.0.0.1:{}", peer.number());
        let data = folder.join(format!("etcd-{}", client.number()));
        let arguments = [
            "--name=etcd".to_owned(),
            format!("--data-dir={}", data.display()),
            format!("--listen-client-urls={client_url}"),
            format!("--advertise-client-urls={client_url}"),
            format!("--listen-peer-urls={peer_url}"),
            format!("--initial-advertise-peer-urls={peer_url}"),
            format!("--initial-cluster=etcd={peer_url}"),
            // The data is thrown away in any case.
            "--unsafe-no-fsync".to_owned(),
            // A single member elects itself after one election timeout.
            "--heartbeat-interval=20".to_owned(),
            "--election-timeout=200".to_owned(),
            "--log-level=warn".to_owned(),
            "--log-outputs=stderr".to_owned(),
        ];
        let log = folder.join("etcd.log");
        let mut process = Process::start(group, &assets.join("etcd"), &arguments, &log)?;
        let deadline = Deadline::after(READY_WITHIN);
        while !healthy(client.number()).await {
            process.check_running()?;
            if deadline.passed() {
                return Err(process.failure("is not healthy"));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(Self { _process: process, client, _peer: peer })
    }
}

async fn healthy(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"GET /health HTTP/1.0\r\nHost: etcd\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    match tokio::time::timeout(Duration::from_secs(2), ask).await {
        Ok(Ok(answer)) => answer.contains(r#""health":"true""#),
        Ok(Err(_)) | Err(_) => false,
    }
}
