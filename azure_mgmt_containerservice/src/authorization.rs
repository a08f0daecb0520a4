//! Calls on what our identity may do, and on locks that keep everybody from doing it.

use crate::{Call, CallKind, Client, Document, Error, Lock, Permission, Scope, paging::list};

/// The api-version of `Microsoft.Authorization/permissions`.
const PERMISSIONS_API_VERSION: &str = "2022-04-01";
/// The api-version of `Microsoft.Authorization/locks`.
const LOCKS_API_VERSION: &str = "2020-05-01";

/// Calls on permissions and locks; see [`Client::authorization`].
///
/// Every method ends with an [`Error`] when Azure refuses, cannot be reached, or answers with
/// something that the API does not promise.
#[derive(Debug)]
pub struct Authorization<'a> {
    pub(crate) client: &'a Client,
}

impl Authorization<'_> {
    /// Lists what our identity may do at a scope, by roles assigned there or above; see
    /// [`Permission::any_allows`].
    ///
    /// Needs no permission of its own beyond any role at the scope. Source: Azure REST API reference,
    /// "Permissions - List For Resource".
    ///
    /// # Errors
    /// See [`Authorization`]; 403 where the identity has no role at all.
    pub async fn permissions(&self, scope: &Scope<'_>) -> Result<Vec<Permission>, Error> {
        let path = ["providers", "Microsoft.Authorization", "permissions"];
        let url = self.client.url_at(PERMISSIONS_API_VERSION, scope.segments().into_iter().chain(path));
        let call = Call::of_scope(CallKind::ListPermissions, scope);
        let permissions = list(self.client, call, url, "listing permissions").await?;
        Ok(permissions.into_iter().map(Document::into_view).collect())
    }

    /// Lists the locks that hold at a scope: its own and those above it, not those below.
    ///
    /// Needs `Microsoft.Authorization/locks/read`. Source: Azure REST API reference, "Management Locks -
    /// List By Scope"; the filter is that of `Get-AzResourceLock -AtScope`.
    ///
    /// # Errors
    /// See [`Authorization`].
    pub async fn locks(&self, scope: &Scope<'_>) -> Result<Vec<Document<Lock>>, Error> {
        let path = ["providers", "Microsoft.Authorization", "locks"];
        let mut url = self.client.url_at(LOCKS_API_VERSION, scope.segments().into_iter().chain(path));
        url.query_pairs_mut().append_pair("$filter", "atScope()");
        list(self.client, Call::of_scope(CallKind::ListLocks, scope), url, "listing locks").await
    }
}
