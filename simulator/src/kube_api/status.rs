//! How a kube-apiserver says no: a Status object with code, reason and a sentence.

use axum::http::Method;
use serde_json::{Value, json};

use super::resource::Resource;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No token, or none that is good here.
    Unauthorized,
    /// The caller may not do that.
    Forbidden { resource: String, message: String },
    /// No such object.
    NotFound { resource: &'static str, group: &'static str, name: String },
    /// No such path.
    NoPage,
    /// The path is there, the method is not.
    Method,
    /// No form of the answer that the caller takes.
    NotAcceptable,
    /// A parameter that means nothing.
    BadRequest(String),
    /// The API server is away.
    Unavailable,
}

impl Failure {
    pub(super) fn not_found(resource: &Resource, name: &str) -> Self {
        Self::NotFound { resource: resource.plural, group: resource.group, name: name.to_owned() }
    }

    /// HTTP status.
    pub(super) const fn code(&self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::Unauthorized => 401,
            Self::Forbidden { .. } => 403,
            Self::NotFound { .. } | Self::NoPage => 404,
            Self::Method => 405,
            Self::NotAcceptable => 406,
            Self::Unavailable => 503,
        }
    }

    const fn reason(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "BadRequest",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden { .. } => "Forbidden",
            Self::NotFound { .. } | Self::NoPage => "NotFound",
            Self::Method => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::Unavailable => "ServiceUnavailable",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Unauthorized => "Unauthorized".to_owned(),
            Self::Forbidden { message, .. } | Self::BadRequest(message) => message.clone(),
            Self::NotFound { resource, group: "", name } => format!("{resource} \"{name}\" not found"),
            Self::NotFound { resource, group, name } => format!("{resource}.{group} \"{name}\" not found"),
            Self::NoPage => "the server could not find the requested resource".to_owned(),
            Self::Method => "the server does not allow this method on the requested resource".to_owned(),
            Self::NotAcceptable => "only the following media types are accepted: application/json".to_owned(),
            Self::Unavailable => "the server is currently unable to handle the request".to_owned(),
        }
    }

    /// The Status object.
    pub(super) fn body(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message(),
            "reason": self.reason(),
            "code": self.code(),
        });
        match self {
            Self::NotFound { resource, group, name } => {
                status["details"] = json!({ "name": name, "group": group, "kind": resource });
            }
            Self::Forbidden { resource, .. } => status["details"] = json!({ "kind": resource }),
            Self::Unauthorized
            | Self::NoPage
            | Self::Method
            | Self::NotAcceptable
            | Self::BadRequest(_)
            | Self::Unavailable => {}
        }
        status
    }
}

/// What somebody wanted to do with a resource, and may not.
pub(super) struct Denied<'a> {
    pub(super) caller: &'a str,
    pub(super) verb: &'a str,
    pub(super) group: &'a str,
    /// With the subresource, if any.
    pub(super) resource: &'a str,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: Option<&'a str>,
}

impl From<Denied<'_>> for Failure {
    fn from(denied: Denied<'_>) -> Self {
        let Denied { caller, verb, group, resource, namespace, name } = denied;
        let plural = resource.split('/').next().unwrap_or_default();
        let mut what = plural.to_owned();
        if !group.is_empty() {
            what.push_str(&format!(".{group}"));
        }
        if let Some(name) = name {
            what.push_str(&format!(" \"{name}\""));
        }
        let scope = match namespace {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        let message = format!(
            "{what} is forbidden: User \"{caller}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" {scope}"
        );
        Self::Forbidden { resource: plural.to_owned(), message }
    }
}

/// The verb of Kubernetes' authorization; `None` for a method that no resource has.
pub(super) fn verb(method: &Method, named: bool, watch: bool) -> Option<&'static str> {
    Some(match *method {
        Method::GET | Method::HEAD if watch => "watch",
        Method::GET | Method::HEAD if named => "get",
        Method::GET | Method::HEAD => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if named => "delete",
        Method::DELETE => "deletecollection",
        _ => return None,
    })
}
