//! The client against an HTTPS server that answers as each test scripts it, and against recordings.

mod calls;
mod credentials;
mod failures;
mod governor;
mod more_calls;
mod operations;
mod recordings;
mod support;
