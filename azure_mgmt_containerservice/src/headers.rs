//! Reads the response headers that callers act on. Pure.

use std::time::Duration;

use azure_core::http::headers::{HeaderName, Headers};
use jiff::fmt::rfc2822;

/// Longer than Azure ever asks for; a wait beyond it is a broken header, and must not stop us for years.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// The header `name` (lower case), when it is there and not empty.
pub(crate) fn text<'a>(headers: &'a Headers, name: &'static str) -> Option<&'a str> {
    headers.get_optional_str(&HeaderName::from_static(name)).map(str::trim).filter(|text| !text.is_empty())
}

/// How long the service asks to wait: `Retry-After` in seconds, or as a date; at most a day.
///
/// A date is taken relative to the `Date` of the same response, so that no clock is needed;
/// without one, or when it cannot be read, there is no answer. Source: RFC 9110, section 10.2.3.
pub(crate) fn retry_after(headers: &Headers) -> Option<Duration> {
    wait(text(headers, "retry-after")?, text(headers, "date"))
}

/// The same, from the texts of the headers `Retry-After` and `Date`.
pub(crate) fn wait(value: &str, date: Option<&str>) -> Option<Duration> {
    if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() {
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    let at = rfc2822::parse(value).ok()?.timestamp();
    let now = rfc2822::parse(date?).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO).min(LONGEST_WAIT))
}

/// The id under which Azure's support finds the request.
pub(crate) fn request_id(headers: &Headers) -> Option<String> {
    ["x-ms-request-id", "x-ms-correlation-request-id", "x-ms-arm-service-request-id"]
        .into_iter()
        .find_map(|name| text(headers, name))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in pairs {
            headers.insert(*name, *value);
        }
        headers
    }

    #[test]
    fn retry_after_in_both_forms() {
        let date = ("date", "Sun, 22 Nov 2026 18:00:00 GMT");
        let table = [
            (vec![("retry-after", "17")], Some(17)),
            (vec![("retry-after", "0")], Some(0)),
            (vec![("retry-after", "86401")], Some(86_400)),
            (vec![("retry-after", "99999999999999999999999")], Some(86_400)),
            (vec![("retry-after", "Sun, 22 Nov 2099 18:01:30 GMT"), date], Some(86_400)),
            (vec![("retry-after", "+3")], None),
            (vec![("retry-after", "Sun, 22 Nov 2026 18:01:30 GMT"), date], Some(90)),
            (vec![("retry-after", "Sun, 22 Nov 2026 17:00:00 GMT"), date], Some(0)),
            (vec![("retry-after", "Sun, 22 Nov 2026 18:01:30 GMT")], None),
            (vec![("retry-after", "-3")], None),
            (vec![("retry-after", "soon"), date], None),
            (vec![], None),
        ];
        for (pairs, seconds) in table {
            assert_eq!(retry_after(&headers(&pairs)), seconds.map(Duration::from_secs), "{pairs:?}");
        }
    }
}
