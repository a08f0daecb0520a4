//! The gateway in front of the service, which now and then has none of it.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};

/// What a load balancer says that cannot reach its service.
const HTML: &str = "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>\n";

/// What Azure Resource Manager says of a service that does not answer.
const JSON: &str = r#"{"error":{"code":"GatewayTimeout","message":"The gateway did not receive a response from the service in time."}}"#;

/// Fails some looks at operations, as seen in practice: with JSON and with HTML in turn.
#[derive(Debug)]
pub(crate) struct Gateway {
    every: u32,
    looks: AtomicU32,
}

impl Gateway {
    /// Every `every`-th look fails; none when 0.
    pub(crate) const fn new(every: u32) -> Self {
        Self { every, looks: AtomicU32::new(0) }
    }

    /// The failure of this call, when it is its turn.
    pub(crate) fn fail(&self, path: &str) -> Option<Response> {
        if self.every == 0 || !path.to_lowercase().contains("/operations/") {
            return None;
        }
        let look = self.looks.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if !look.is_multiple_of(self.every) {
            return None;
        }
        let in_turn = (look / self.every).is_multiple_of(2);
        let (status, kind, body) = if in_turn {
            (StatusCode::GATEWAY_TIMEOUT, "application/json; charset=utf-8", JSON)
        } else {
            (StatusCode::BAD_GATEWAY, "text/html", HTML)
        };
        Some((status, [(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_look_fails_with_html_and_json_in_turn() {
        let gateway = Gateway::new(2);
        let status = |path| gateway.fail(path).map(|response| response.status().as_u16());
        let looks = [(); 4].map(|()| status("/locations/l/Operations/id"));
        assert_eq!(looks, [None, Some(502), None, Some(504)]);
        assert_eq!(status("/managedClusters/c"), None);
    }
}
