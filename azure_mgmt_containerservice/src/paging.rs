//! Reads lists that come in pages.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{Call, Client, Document, Error, View};

/// More pages than any subscription has: a link that leads in circles ends here.
const PAGE_LIMIT: usize = 1000;

/// Reads a list to its end: `value` of each page, then its `nextLink`.
pub(crate) async fn list<V: View>(
    client: &Client,
    call: Call,
    first: url::Url,
    what: &'static str,
) -> Result<Vec<Document<V>>, Error> {
    let mut documents = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = Some(first);
    while let Some(url) = next {
        if seen.len() >= PAGE_LIMIT || !seen.insert(url.to_string()) {
            return Err(Error::Decode { what, problem: "its pages do not end".to_owned() });
        }
        let mut page = client.get(call.clone(), url).await?.object(what)?;
        next = match page.get("nextLink").and_then(Value::as_str) {
            None | Some("") => None,
            Some(link) => Some(client.link(link)?),
        };
        documents.extend(items(&mut page, what)?.into_iter().map(Document::from_value));
    }
    Ok(documents)
}

/// The items of one page, which may have none: `value`, or `values` where AKS says so.
///
/// # Errors
/// [`Error::Decode`] when it is not a list of objects.
pub(crate) fn items(page: &mut Value, what: &'static str) -> Result<Vec<Value>, Error> {
    let name = if page.get("value").is_none() && page.get("values").is_some() { "values" } else { "value" };
    match page.get_mut(name).map(Value::take) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) if items.iter().all(Value::is_object) => Ok(items),
        Some(_) => Err(Error::Decode { what, problem: format!("'{name}' is not a list of objects") }),
    }
}
