//! The Entra tenant: who gets tokens, what they say, and who is let in with them.
//!
//! Tokens are ES256, signed with a key of this start, and run on the real clock: the API
//! servers that check them do too.

mod certificate;
mod discovery;
mod endpoint;
mod federation;
mod managed;
mod tenant;

/// Audience of tokens for the API servers of AKS, the same in every cloud.
pub const API_SERVER_AUDIENCE: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";

/// Audience of tokens for Azure Resource Manager.
pub const ARM_AUDIENCE: &str = "https://management.azure.com";

pub(crate) use endpoint::routes;
pub(crate) use managed::{app_service, machine};
pub(crate) use tenant::{Tenant, TenantError};
