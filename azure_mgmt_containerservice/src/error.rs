//! What a call can end with instead of an answer.

use std::time::Duration;

use crate::{ApiError, HeldBack, InvalidClusterId};

/// Why a call did not give an answer. Nothing was retried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Azure answered with an error: 4xx and 5xx, throttling and preconditions included.
    #[error("{error}")]
    Api {
        /// What the body said; its `status` is the HTTP status.
        error: Box<ApiError>,
        /// How long Azure asks to wait, if it does.
        retry_after: Option<Duration>,
        /// The id that Azure's support asks for.
        request_id: Option<String>,
    },
    /// The request did not get through, or its answer did not get back. Whether Azure acted is unknown.
    #[error("the connection to {host} failed: {source}")]
    Transport {
        /// The host that was called.
        host: String,
        /// What failed.
        source: azure_core::Error,
    },
    /// No answer within the time for one request. Whether Azure acted is unknown.
    #[error("no answer from {host} within {after:?}")]
    Timeout {
        /// The host that was called.
        host: String,
        /// The time that was allowed.
        after: Duration,
    },
    /// No token: the request was not sent.
    #[error("no token for Azure: {source}")]
    Authentication {
        /// What the credential said.
        source: azure_core::Error,
    },
    /// A success whose body is not what the API promises.
    #[error("the answer to {what} cannot be read: {problem}")]
    Decode {
        /// Which call.
        what: &'static str,
        /// What is wrong with the body, without its contents.
        problem: String,
    },
    /// A link in an answer leads to another origin, where our token must not go.
    #[error("a link leads to {found} instead of {expected}: not followed, the token stays here")]
    ForeignOrigin {
        /// The origin that the client talks to.
        expected: String,
        /// The origin of the link.
        found: String,
    },
    /// The client or credential cannot be built from its options.
    #[error("invalid configuration: {0}")]
    Configuration(String),
    /// It was not sent: limits that Azure sets are shared, and this call's share is used up.
    #[error(transparent)]
    HeldBack(#[from] HeldBack),
    /// A resource id that is none.
    #[error(transparent)]
    InvalidId(#[from] InvalidClusterId),
}

impl Error {
    /// The HTTP status, when Azure answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.api().and_then(|error| error.status)
    }

    /// What Azure answered, when it did.
    #[must_use]
    pub fn api(&self) -> Option<&ApiError> {
        if let Self::Api { error, .. } = self { Some(error) } else { None }
    }

    /// How long Azure asks to wait before the next request, if it does.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api { retry_after, .. } => *retry_after,
            Self::HeldBack(held) => Some(held.retry_after),
            Self::Authentication { .. }
            | Self::Transport { .. }
            | Self::Timeout { .. }
            | Self::Decode { .. }
            | Self::ForeignOrigin { .. }
            | Self::Configuration(_)
            | Self::InvalidId(_) => None,
        }
    }

    /// Whether the resource does not exist (404).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Whether Azure may have acted although no answer came back: read before writing again.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::Transport { source, .. } => {
                !matches!(source.kind(), azure_core::error::ErrorKind::Connection)
            }
            Self::Timeout { .. } | Self::Decode { .. } => true,
            Self::Api { error, .. } => error.status.is_some_and(|status| status >= 500),
            Self::Authentication { .. }
            | Self::ForeignOrigin { .. }
            | Self::Configuration(_)
            | Self::HeldBack(_)
            | Self::InvalidId(_) => false,
        }
    }
}
