//! Lists: selected, cut into pages, and in the form that was asked for.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kube::core::{Selector, SelectorExt as _};
use serde_json::{Value, json};

use super::{resource::Resource, selector, status::Failure};

/// Whether whole objects are wanted or what they are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Whole,
    Metadata,
}

impl Form {
    /// The first form in `Accept` that can be had.
    pub(super) fn wanted(headers: &HeaderMap) -> Result<Self, Failure> {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
        accept.split(',').find_map(Self::read).ok_or(Failure::NotAcceptable)
    }

    fn read(kind: &str) -> Option<Self> {
        let mut parts = kind.split(';').map(str::trim);
        let json = matches!(parts.next()?, "application/json" | "application/*" | "*/*");
        match parts.find_map(|part| part.strip_prefix("as=")) {
            None => json.then_some(Self::Whole),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => json.then_some(Self::Metadata),
            Some(_) => None,
        }
    }

    /// An object by itself.
    pub(super) fn one(self, resource: &Resource, mut object: Value) -> Value {
        if self == Self::Metadata {
            return self.item(object);
        }
        object["kind"] = json!(resource.kind);
        object["apiVersion"] = json!(resource.api_version());
        object
    }

    fn item(self, mut object: Value) -> Value {
        match self {
            Self::Whole => object,
            Self::Metadata => json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": object["metadata"].take(),
            }),
        }
    }

    fn kind(self, resource: &Resource) -> (String, String) {
        match self {
            Self::Whole => (format!("{}List", resource.kind), resource.api_version()),
            Self::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        }
    }
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Page {
    labels: Selector,
    /// Path of a field, its value, and whether they are to be equal.
    fields: Vec<(String, String, bool)>,
    limit: Option<usize>,
    /// The name after which the page begins.
    after: Option<String>,
}

impl Page {
    /// Reads the parameters of a list.
    pub(super) fn read(query: &[(String, String)]) -> Result<Self, Failure> {
        let mut page = Self::default();
        for (key, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
            match key.as_str() {
                "labelSelector" => page.labels = selector::read(value)?,
                "fieldSelector" => page.fields = fields(value)?,
                "limit" => {
                    let limit = value.parse::<usize>();
                    let limit =
                        limit.map_err(|_| Failure::BadRequest(format!("limit: {value:?} is no number")))?;
                    page.limit = (limit > 0).then_some(limit);
                }
                "continue" => page.after = Some(read_token(value)?),
                _ => {}
            }
        }
        Ok(page)
    }

    /// The wanted part of `items`, which are sorted by name.
    pub(super) fn of(
        self,
        resource: &Resource,
        namespace: Option<&str>,
        items: Vec<Value>,
        form: Form,
        version: &str,
    ) -> Value {
        let name = |item: &Value| item["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let mut items = items;
        items.retain(|item| namespace.is_none_or(|wanted| item["metadata"]["namespace"] == wanted));
        items.retain(|item| self.selects(item));
        items.retain(|item| self.after.as_ref().is_none_or(|after| name(item) > *after));
        let (kind, api_version) = form.kind(resource);
        let mut metadata = json!({ "resourceVersion": version });
        let left = self.limit.map_or(0, |limit| items.len().saturating_sub(limit));
        if left > 0 {
            items.truncate(items.len() - left);
            metadata["continue"] = json!(write_token(&items.last().map(name).unwrap_or_default()));
            metadata["remainingItemCount"] = json!(left);
        }
        let items = items.into_iter().map(|item| form.item(item)).collect::<Vec<_>>();
        json!({ "kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items })
    }

    fn selects(&self, item: &Value) -> bool {
        let labels = item["metadata"]["labels"].as_object().into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        self.labels.matches(&labels.collect())
            && self.fields.iter().all(|(path, value, equal)| {
                let found = item.pointer(&format!("/{}", path.replace('.', "/")));
                (found.and_then(Value::as_str).unwrap_or_default() == value) == *equal
            })
    }
}

/// Fields that every kind can be selected by, and those of pods.
const FIELDS: [&str; 4] = ["metadata.name", "metadata.namespace", "spec.nodeName", "status.phase"];

fn fields(text: &str) -> Result<Vec<(String, String, bool)>, Failure> {
    let read = |part: &str| {
        let (path, value) = part.split_once('=').unwrap_or((part, ""));
        let (path, equal) = path.strip_suffix('!').map_or((path, true), |path| (path, false));
        if !FIELDS.contains(&path) {
            return Err(Failure::BadRequest(format!("field label not supported: {path}")));
        }
        Ok((path.to_owned(), value.trim_start_matches('=').to_owned(), equal))
    };
    text.split(',').map(read).collect()
}

/// As opaque to clients as a real one.
fn write_token(after: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!({ "v": "meta.k8s.io/v1", "start": after }).to_string())
}

fn read_token(token: &str) -> Result<String, Failure> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let token: Option<Value> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let after = token.and_then(|token| Some(token["start"].as_str()?.to_owned()));
    after.ok_or_else(|| Failure::BadRequest("continue key is not valid".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &[(&str, &str)], form: Form) -> Value {
        let items = ["a", "b", "c"].map(|name| {
            json!({ "metadata": { "name": name, "labels": { "odd": (name != "b").to_string() } }, "spec": {} })
        });
        let query = query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let nodes = Resource::find("", "nodes").unwrap();
        Page::read(&query.collect::<Vec<_>>()).unwrap().of(nodes, None, items.to_vec(), form, "7")
    }

    fn names(list: &Value) -> Vec<&str> {
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn pages_follow_each_other_without_gap() {
        let first = page(&[("limit", "2")], Form::Whole);
        assert_eq!((names(&first), &first["metadata"]["remainingItemCount"]), (vec!["a", "b"], &json!(1)));
        let token = first["metadata"]["continue"].as_str().unwrap();
        let second = page(&[("limit", "2"), ("continue", token)], Form::Whole);
        assert_eq!(names(&second), ["c"]);
        assert!(second["metadata"].get("continue").is_none());
        let bad = Page::read(&[("continue".to_owned(), "%".to_owned())]);
        assert_eq!(bad.unwrap_err(), Failure::BadRequest("continue key is not valid".to_owned()));
    }

    #[test]
    fn labels_and_fields_select() {
        assert_eq!(names(&page(&[("labelSelector", "odd=true")], Form::Whole)), ["a", "c"]);
        assert_eq!(names(&page(&[("fieldSelector", "metadata.name=b")], Form::Whole)), ["b"]);
        assert_eq!(names(&page(&[("fieldSelector", "metadata.name!=b")], Form::Whole)), ["a", "c"]);
        assert!(Page::read(&[("fieldSelector".to_owned(), "spec.colour=red".to_owned())]).is_err());
    }

    #[test]
    fn metadata_alone_is_sent_when_it_is_asked_for() {
        let list = page(&[], Form::Metadata);
        assert_eq!(list["kind"], "PartialObjectMetadataList");
        assert!(list["items"][0].get("spec").is_none());
        let wanted =
            |accept: &str| Form::wanted(&HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]));
        let metadata = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        assert_eq!(wanted(metadata), Ok(Form::Metadata));
        assert_eq!(wanted("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"), Ok(Form::Whole));
        assert_eq!(wanted("application/vnd.kubernetes.protobuf"), Err(Failure::NotAcceptable));
        assert_eq!(Form::wanted(&HeaderMap::new()), Ok(Form::Whole));
    }
}
