//! What a method and path of the Kubernetes API ask for, and whether a reader may ask for it.
//!
//! As in a real cluster rights come first: a reader who asks for Secrets, or for an object to be
//! changed, is told that it is forbidden, whether or not there is such a thing.

use axum::http::{HeaderMap, Method, Uri};
use serde_json::Value;

use super::{
    list::{Form, Page},
    resource::{self, Resource},
    status::{Denied, Failure, verb},
};

/// Something that there is an answer to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    Text(&'static str),
    Version,
    Document(Value),
    List { resource: &'static Resource, namespace: Option<String>, page: Page },
    Get { resource: &'static Resource, name: String },
}

/// A request that may be answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) asked: Asked,
    pub(super) form: Form,
}

impl Request {
    /// Reads what is asked for below a cluster's own address.
    pub(super) fn read(
        method: &Method,
        path: &str,
        uri: &Uri,
        headers: &HeaderMap,
        caller: &str,
    ) -> Result<Self, Failure> {
        let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let query = query.into_owned().collect::<Vec<_>>();
        let asked = understand(&Wish { method, query: &query, caller }, path)?;
        Ok(Self { asked, form: Form::wanted(headers)? })
    }
}

/// What is wanted of whatever the path names, and by whom.
struct Wish<'a> {
    method: &'a Method,
    query: &'a [(String, String)],
    caller: &'a str,
}

fn understand(wish: &Wish<'_>, path: &str) -> Result<Asked, Failure> {
    let parts = path.trim_matches('/').split('/').collect::<Vec<_>>();
    let asked = match parts.as_slice() {
        ["healthz" | "livez" | "readyz"] => Asked::Text("ok"),
        ["version"] => Asked::Version,
        ["api"] => Asked::Document(resource::core_versions()),
        ["apis"] => Asked::Document(resource::groups()),
        ["apis", group] => Asked::Document(resource::group(group).ok_or(Failure::NoPage)?),
        ["api", "v1"] => Asked::Document(resource::resources("").ok_or(Failure::NoPage)?),
        ["apis", group, "v1"] => Asked::Document(resource::resources(group).ok_or(Failure::NoPage)?),
        ["api", "v1", rest @ ..] => return object(wish, "", rest),
        ["apis", group, _, rest @ ..] => return object(wish, group, rest),
        _ => return Err(Failure::NoPage),
    };
    let reads = matches!(*wish.method, Method::GET | Method::HEAD);
    if reads { Ok(asked) } else { Err(Failure::Method) }
}

/// Something below a group's version.
fn object(wish: &Wish<'_>, group: &str, rest: &[&str]) -> Result<Asked, Failure> {
    let Wish { method, query, caller } = *wish;
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
        _ => (None, rest),
    };
    let (plural, name, below) = match rest {
        [plural] => (*plural, None, None),
        [plural, name] => (*plural, Some(*name), None),
        [plural, name, below] => (*plural, Some(*name), Some(*below)),
        _ => return Err(Failure::NoPage),
    };
    let watch = query.iter().any(|(key, value)| key == "watch" && matches!(value.as_str(), "true" | "1"));
    let verb = verb(method, name.is_some(), watch).ok_or(Failure::Method)?;
    let found = Resource::find(group, plural).filter(|_| below.is_none());
    let resource = match found {
        Some(resource) if matches!(verb, "get" | "list") => resource,
        _ => {
            let resource = below.map_or_else(|| plural.to_owned(), |below| format!("{plural}/{below}"));
            return Err(Denied { caller, verb, group, resource: &resource, namespace, name }.into());
        }
    };
    // A namespace for what has none, or an object without the one that it must have.
    if resource.namespaced != namespace.is_some() && (name.is_some() || namespace.is_some()) {
        return Err(Failure::NoPage);
    }
    Ok(match name {
        Some(name) => Asked::Get { resource, name: name.to_owned() },
        None => Asked::List { resource, namespace: namespace.map(str::to_owned), page: Page::read(query)? },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: Method, path: &str) -> Result<Asked, Failure> {
        let uri = format!("/{path}").parse::<Uri>().unwrap();
        Request::read(&method, uri.path(), &uri, &HeaderMap::new(), "me").map(|request| request.asked)
    }

    fn list(group: &str, plural: &str, namespace: Option<&str>) -> Result<Asked, Failure> {
        let resource = Resource::find(group, plural).unwrap();
        Ok(Asked::List { resource, namespace: namespace.map(str::to_owned), page: Page::default() })
    }

    #[test]
    fn lists_and_objects_are_found_by_their_paths() {
        assert_eq!(read(Method::GET, "version"), Ok(Asked::Version));
        assert_eq!(read(Method::GET, "api/v1/nodes?limit=0"), list("", "nodes", None));
        assert_eq!(read(Method::GET, "apis/apps/v1/deployments"), list("apps", "deployments", None));
        let there = list("batch", "jobs", Some("shop"));
        assert_eq!(read(Method::GET, "apis/batch/v1/namespaces/shop/jobs"), there);
        let resource = Resource::find("policy", "poddisruptionbudgets").unwrap();
        let budget = Asked::Get { resource, name: "db".to_owned() };
        let path = "apis/policy/v1/namespaces/shop/poddisruptionbudgets/db";
        assert_eq!(read(Method::GET, path), Ok(budget));
    }

    #[test]
    fn a_reader_may_only_read_and_only_what_it_is_for() {
        let message = |answer| match answer {
            Err(Failure::Forbidden { message, .. }) => message,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            message(read(Method::GET, "api/v1/namespaces/shop/secrets")),
            "secrets is forbidden: User \"me\" cannot list resource \"secrets\" in API group \"\" in the \
             namespace \"shop\""
        );
        assert_eq!(
            message(read(Method::PATCH, "api/v1/nodes/a")),
            "nodes \"a\" is forbidden: User \"me\" cannot patch resource \"nodes\" in API group \"\" at the \
             cluster scope"
        );
        let evict = message(read(Method::POST, "api/v1/namespaces/n/pods/p/eviction"));
        assert!(evict.contains("cannot create resource \"pods/eviction\""), "{evict}");
        assert!(message(read(Method::GET, "api/v1/nodes?watch=true")).contains("cannot watch"));
        assert!(
            message(read(Method::DELETE, "apis/apps/v1/deployments")).contains("cannot deletecollection")
        );
    }

    #[test]
    fn what_is_nowhere_is_not_found_and_what_cannot_be_done_is_not_allowed() {
        for path in
            ["nothing", "apis/nothing", "apis/nothing/v1", "api/v1/namespaces/n/nodes", "api/v1/pods/p"]
        {
            assert_eq!(read(Method::GET, path), Err(Failure::NoPage), "{path}");
        }
        assert_eq!(read(Method::POST, "version"), Err(Failure::Method));
        assert_eq!(read(Method::OPTIONS, "api/v1/nodes"), Err(Failure::Method));
    }
}
