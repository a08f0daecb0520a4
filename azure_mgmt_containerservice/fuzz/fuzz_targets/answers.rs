//! Any bytes as an answer of Azure: read by everything that reads answers, written back, and classified.
//!
//! What must hold is said, and checked in property tests too, by `azure_mgmt_containerservice::checks` and
//! by the engine's `failure::checks`.

#![no_main]

use azure_mgmt_containerservice::{ApiError, checks};
use engine::{Failure, check_failure};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    checks::check(bytes);
    // As the operator does it, for a refusal, a conflict, and an operation that failed later.
    let error = ApiError::from_body(400, bytes);
    for status in [Some(400), Some(409), None] {
        let (code, subcode) = (error.code.as_deref(), error.subcode.as_deref());
        check_failure(&Failure::new(status, code, subcode, &error.summary()));
    }
    // The first line as a code, the rest as prose: messages are easier to invent without JSON around.
    let text = String::from_utf8_lossy(bytes);
    let (code, message) = text.split_once('\n').unwrap_or(("", &text));
    check_failure(&Failure::new(Some(400), Some(code), Some("OperationNotAllowed"), message));
    check_failure(&Failure::new(None, Some(code), None, message));
});
