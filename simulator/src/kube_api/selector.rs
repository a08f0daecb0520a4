//! Label selectors in the text form of list parameters, read into kube's own.

use std::collections::BTreeSet;

use kube::core::{Expression, Selector};

use super::status::Failure;

/// Reads for example `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
pub(super) fn read(text: &str) -> Result<Selector, Failure> {
    let mut selector = Selector::default();
    for part in split(text).into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        selector.extend(expression(part).ok_or_else(|| {
            Failure::BadRequest(format!(
                "unable to parse requirement: found '{part}', expected: key, key=value or key in (a,b)"
            ))
        })?);
    }
    Ok(selector)
}

/// At commas outside of parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.collect()
}

fn expression(text: &str) -> Option<Expression> {
    if let Some(key) = text.strip_prefix('!') {
        return Some(Expression::DoesNotExist(word(key)?));
    }
    if let Some(list) = text.strip_suffix(')') {
        let (left, values) = list.split_once('(')?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect::<BTreeSet<_>>();
        let (key, operator) = left.trim().split_once(char::is_whitespace)?;
        return match operator.trim() {
            "in" => Some(Expression::In(word(key)?, values)),
            "notin" => Some(Expression::NotIn(word(key)?, values)),
            _ => None,
        };
    }
    for (operator, equal) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((key, value)) = text.split_once(operator) {
            let (key, value) = (word(key)?, value.trim().to_owned());
            let make = if equal { Expression::Equal } else { Expression::NotEqual };
            return Some(make(key, value));
        }
    }
    Some(Expression::Exists(word(text)?))
}

fn word(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    (!text.is_empty() && text.chars().all(fits)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use kube::core::SelectorExt as _;

    use super::*;

    #[test]
    fn every_form_is_read() {
        let labels = [("pool", "apps"), ("os", "linux")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let matches = |text| read(text).unwrap().matches(&labels);
        for yes in [
            "",
            "pool=apps",
            "pool==apps,os",
            "pool!=system",
            "!gpu",
            "pool in (system, apps),os=linux",
            "os notin (a)",
        ] {
            assert!(matches(yes), "{yes}");
        }
        for no in ["pool=system", "gpu", "!os", "pool in (a,b)", "os notin (linux)", "os=linux,pool!=apps"] {
            assert!(!matches(no), "{no}");
        }
        for wrong in ["a b", "a within (b)", "=b", "a in b)"] {
            assert!(matches!(read(wrong), Err(Failure::BadRequest(_))), "{wrong}");
        }
    }
}
