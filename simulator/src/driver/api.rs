//! One way to call the API server: bounded, with a timeout, and again while it is away.
//!
//! Decides which answers mean "not now". Touches whatever the caller calls.

use std::{future::Future, time::Duration};

use kube::{core::Status, runtime::utils::Backoff};
use tokio::sync::Semaphore;

/// Calls in flight at once: what a kube-apiserver on a small machine answers
/// without its own queueing, and enough for pools that surge by dozens of nodes.
const CALLS_AT_ONCE: usize = 16;
/// An API server that has not answered by then is treated as away.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// First and longest pause between attempts, in real time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("no answer within {} s", CALL_TIMEOUT.as_secs())]
    Timeout,
    #[error(transparent)]
    Kube(#[from] kube::Error),
}

impl ApiError {
    /// The API server's own words, when it answered.
    pub(super) fn status(&self) -> Option<&Status> {
        match self {
            Self::Kube(kube::Error::Api(status)) => Some(status),
            Self::Kube(_) | Self::Timeout => None,
        }
    }

    fn code(&self) -> Option<u16> {
        self.status().map(|status| status.code)
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Somebody else wrote in between, or the object exists already.
    pub(super) fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// Whether the same call may well work a little later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Timeout => true,
            Self::Kube(kube::Error::Api(status)) => status.code == 429 || status.code >= 500,
            Self::Kube(error) => matches!(
                error,
                kube::Error::HyperError(_)
                    | kube::Error::Service(_)
                    | kube::Error::ReadEvents(_)
                    | kube::Error::FromUtf8(_)
            ),
        }
    }
}

/// Makes the calls of one driver.
pub(super) struct Caller {
    permits: Semaphore,
}

impl Caller {
    pub(super) fn new() -> Self {
        Self { permits: Semaphore::new(CALLS_AT_ONCE) }
    }

    /// Calls once.
    pub(super) async fn once<T>(
        &self,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, ApiError> {
        // Nobody closes the semaphore; were it closed, the call would go unbounded.
        let _permit = self.permits.acquire().await.ok();
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(ApiError::Timeout),
        }
    }

    /// Calls until the API server answers with a result or a refusal that will not change.
    pub(super) async fn until_answered<T, F>(
        &self,
        what: &str,
        mut call: impl FnMut() -> F,
    ) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        let (mut pause, longest) = PAUSES;
        loop {
            match self.once(call()).await {
                Err(error) if error.is_transient() => {
                    tracing::debug!(what, %error, "the API server does not answer, trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(longest);
                }
                answer => return answer,
            }
        }
    }
}

/// Pause before a broken watch starts again, in real time: the API server is near, and
/// away only while it restarts.
pub(super) struct WatchPause;

impl Iterator for WatchPause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::from_millis(500))
    }
}

impl Backoff for WatchPause {
    fn reset(&mut self) {}
}

/// Treats an object that is not there as done with.
pub(super) fn gone_is_fine<T>(answer: Result<T, ApiError>) -> Result<(), ApiError> {
    match answer {
        Err(error) if !error.is_not_found() => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16) -> ApiError {
        let status = serde_json::json!({ "status": "Failure", "code": code, "message": "no", "reason": "" });
        kube::Error::Api(Box::new(serde_json::from_value(status).unwrap())).into()
    }

    #[test]
    fn only_what_may_change_is_tried_again() {
        for (code, transient) in
            [(429, true), (500, true), (503, true), (404, false), (409, false), (422, false)]
        {
            assert_eq!(refused(code).is_transient(), transient, "{code}");
        }
        assert!(ApiError::Timeout.is_transient());
        assert!(refused(404).is_not_found() && gone_is_fine::<()>(Err(refused(404))).is_ok());
        assert!(refused(409).is_conflict() && gone_is_fine::<()>(Err(refused(409))).is_err());
    }

    #[tokio::test]
    async fn an_absent_api_server_is_waited_for() {
        let mut attempts = 0;
        let answer = Caller::new()
            .until_answered("test", || {
                attempts += 1;
                let away = attempts < 3;
                async move {
                    if away { Err(kube::Error::Service("connection refused".into())) } else { Ok(attempts) }
                }
            })
            .await;
        assert_eq!(answer.unwrap(), 3);
    }
}
