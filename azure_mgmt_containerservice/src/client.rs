//! Sends one request and reads one answer. The only place that talks to the management endpoint.

use std::{fmt, sync::Arc, time::Duration};

use azure_core::{
    credentials::TokenCredential,
    error::ErrorKind,
    http::{
        ClientOptions as CoreOptions, Context, HttpClient, Method, Pipeline, PipelineSendOptions, Request,
        RetryOptions, Transport, UserAgentOptions, headers::Headers,
        policies::auth::BearerTokenAuthorizationPolicy,
    },
};
use serde_json::Value;
use url::Url;

use crate::{
    Accepted, AgentPools, Answered, ApiError, Authorization, Call, ClientOptions, Cloud, ClusterId, ETag,
    Error, Governor, Locations, MaintenanceConfigurations, ManagedClusters, Operations, Scope, headers,
    links, transport,
};

/// The longest application id that the SDK accepts.
const APPLICATION_ID_LIMIT: usize = 24;

/// A client of the AKS part of Azure Resource Manager. Cheap to clone; clones share connections
/// and the token.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    governor: Option<Arc<dyn Governor>>,
}

struct Inner {
    pipeline: Pipeline,
    endpoint: Url,
    api_version: String,
    timeout: Duration,
}

/// A 2xx answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// A client that authenticates with `credential`.
    ///
    /// # Errors
    /// [`Error::Configuration`] when the endpoint is not https, the audience is empty, the application
    /// id is too long, or the extra certificates cannot be read.
    pub fn new(options: ClientOptions, credential: Arc<dyn TokenCredential>) -> Result<Self, Error> {
        let http = transport::build(options.extra_ca_pem.as_deref())?;
        Self::over(http, options, credential)
    }

    /// The same over an HTTP client of one's own: a model of Azure within the same process. The extra
    /// certificates are that client's business.
    ///
    /// # Errors
    /// As [`Client::new`], but for the certificates.
    pub fn over(
        http: Arc<dyn HttpClient>,
        options: ClientOptions,
        credential: Arc<dyn TokenCredential>,
    ) -> Result<Self, Error> {
        let ClientOptions { endpoint, audience, api_version, extra_ca_pem: _, timeout, application_id } =
            options;
        if endpoint.scheme() != "https" || endpoint.host_str().is_none() {
            return Err(Error::Configuration(format!(
                "the management endpoint {endpoint} is not an https URL"
            )));
        }
        if audience.as_deref().is_some_and(|audience| audience.trim().is_empty()) {
            return Err(Error::Configuration(
                "the audience is empty; leave it out for the endpoint's own".to_owned(),
            ));
        }
        if application_id.as_ref().is_some_and(|id| id.len() > APPLICATION_ID_LIMIT) {
            return Err(Error::Configuration(format!(
                "the application id is longer than {APPLICATION_ID_LIMIT} characters"
            )));
        }
        let core = CoreOptions {
            retry: RetryOptions::none(),
            transport: Some(Transport::new(http)),
            user_agent: UserAgentOptions { application_id },
            ..CoreOptions::default()
        };
        let bearer =
            BearerTokenAuthorizationPolicy::new(credential, [token_scope(&endpoint, audience.as_deref())]);
        let pipeline = Pipeline::new(
            option_env!("CARGO_PKG_NAME"),
            option_env!("CARGO_PKG_VERSION"),
            core,
            Vec::new(),
            vec![Arc::new(bearer)],
            None,
        );
        Ok(Self { inner: Arc::new(Inner { pipeline, endpoint, api_version, timeout }), governor: None })
    }

    /// The same client, connections and token, with `governor` deciding when its requests are sent.
    #[must_use]
    pub fn with_governor(&self, governor: Arc<dyn Governor>) -> Self {
        Self { inner: Arc::clone(&self.inner), governor: Some(governor) }
    }

    /// Calls on clusters.
    #[must_use]
    pub fn managed_clusters(&self) -> ManagedClusters<'_> {
        ManagedClusters { client: self }
    }

    /// Calls on node pools.
    #[must_use]
    pub fn agent_pools(&self) -> AgentPools<'_> {
        AgentPools { client: self }
    }

    /// Calls on clusters' own maintenance windows.
    #[must_use]
    pub fn maintenance_configurations(&self) -> MaintenanceConfigurations<'_> {
        MaintenanceConfigurations { client: self }
    }

    /// Calls on permissions and locks.
    #[must_use]
    pub fn authorization(&self) -> Authorization<'_> {
        Authorization { client: self }
    }

    /// Calls on regions.
    #[must_use]
    pub fn locations(&self) -> Locations<'_> {
        Locations { client: self }
    }

    /// Calls on running operations.
    #[must_use]
    pub fn operations(&self) -> Operations<'_> {
        Operations { client: self }
    }

    /// The endpoint that this client talks to.
    #[must_use]
    pub fn endpoint(&self) -> &Url {
        &self.inner.endpoint
    }

    /// The URL of a path, with the configured api-version.
    pub(crate) fn url<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        self.url_at(&self.inner.api_version, segments)
    }

    /// The URL of a path, with an api-version of its own: of another provider, or of a preview.
    pub(crate) fn url_at<'a>(&self, api_version: &str, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.inner.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url.query_pairs_mut().append_pair("api-version", api_version);
        url
    }

    /// The URL of a cluster, or of something below it.
    pub(crate) fn cluster_url(&self, id: &ClusterId, below: &[&str]) -> Url {
        self.url(Scope::Cluster(id).segments().into_iter().chain(below.iter().copied()))
    }

    /// A link from an answer, verbatim, if our token may go there.
    pub(crate) fn link(&self, link: &str) -> Result<Url, Error> {
        links::follow(&self.inner.endpoint, link)
    }

    pub(crate) async fn get(&self, call: Call, url: Url) -> Result<Answer, Error> {
        self.send(call, Request::new(url, Method::Get)).await
    }

    pub(crate) async fn post(&self, call: Call, url: Url) -> Result<Answer, Error> {
        self.send(call, Request::new(url, Method::Post)).await
    }

    pub(crate) async fn put(
        &self,
        call: Call,
        url: Url,
        body: &Value,
        if_match: Option<&ETag>,
    ) -> Result<Accepted, Error> {
        let mut request = Request::new(url, Method::Put);
        request.insert_header("content-type", "application/json");
        if let Some(etag) = if_match {
            request.insert_header("if-match", etag.as_str().to_owned());
        }
        request.set_body(body.to_string());
        self.send(call, request).await?.accepted()
    }

    async fn send(&self, call: Call, request: Request) -> Result<Answer, Error> {
        let Some(governor) = &self.governor else {
            return self.transfer(request).await.0;
        };
        governor.admit(&call).await?;
        let sent = tokio::time::Instant::now();
        let (answer, mut answered) = self.transfer(request).await;
        answered.took = sent.elapsed();
        answered.code = answer.as_ref().err().and_then(|error| error.api()?.code.clone());
        governor.answered(&call, &answered);
        answer
    }

    async fn transfer(&self, mut request: Request) -> (Result<Answer, Error>, Answered) {
        request.insert_header("accept", "application/json");
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let options = PipelineSendOptions { skip_checks: true, ..PipelineSendOptions::default() };
        let context = Context::new();
        let sending = Box::pin(self.inner.pipeline.send(&context, &mut request, Some(options)));
        let after = self.inner.timeout;
        let unanswered = |error| (Err(error), Answered::default());
        let response = match tokio::time::timeout(after, sending).await {
            Ok(Ok(response)) => response,
            Ok(Err(source)) if matches!(source.kind(), ErrorKind::Credential) => {
                return unanswered(Error::Authentication { source });
            }
            Ok(Err(source)) => return unanswered(Error::Transport { host, source }),
            Err(_) => return unanswered(Error::Timeout { host, after }),
        };
        let (status, headers, body) = response.deconstruct();
        let (status, body) = (u16::from(status), body.as_ref());
        let answered = Answered::of(status, &headers);
        if (200..300).contains(&status) {
            return (Ok(Answer { status, headers, body: body.to_vec() }), answered);
        }
        let error = Error::Api {
            error: Box::new(ApiError::from_body(status, body)),
            retry_after: answered.retry_after,
            request_id: headers::request_id(&headers),
        };
        (Err(error), answered)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.inner.endpoint.as_str()).finish_non_exhaustive()
    }
}

impl Answer {
    /// The body as a JSON object.
    pub(crate) fn object(&self, what: &'static str) -> Result<Value, Error> {
        let value: Value = serde_json::from_slice(&self.body).map_err(|error| Error::Decode {
            what,
            problem: format!("{} bytes that are not JSON: {error}", self.body.len()),
        })?;
        if value.is_object() {
            return Ok(value);
        }
        Err(Error::Decode { what, problem: "JSON, but not an object".to_owned() })
    }

    /// An accepted write; a body is optional, but if there is one, it is JSON.
    pub(crate) fn accepted(&self) -> Result<Accepted, Error> {
        let document =
            if self.body.trim_ascii().is_empty() { None } else { Some(self.object("an accepted write")?) };
        Ok(Accepted::new(&self.headers, document))
    }
}

/// The token scope of a management endpoint: what is configured, or the cloud's, or its own origin.
///
/// A regional host (`westeurope.management.azure.com`) is no audience of its own.
fn token_scope(endpoint: &Url, audience: Option<&str>) -> String {
    let audience = match (audience, Cloud::of_endpoint(endpoint)) {
        (Some(audience), _) => audience.to_owned(),
        (None, Some(cloud)) => cloud.endpoint().origin().ascii_serialization(),
        (None, None) => endpoint.origin().ascii_serialization(),
    };
    if audience.ends_with("/.default") { audience } else { format!("{audience}/.default") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cloud_has_its_own_token_scope() {
        let table = [
            ("https://management.azure.com/", None, "https://management.azure.com/.default"),
            ("https://westeurope.management.azure.com/", None, "https://management.azure.com/.default"),
            ("https://management.usgovcloudapi.net/", None, "https://management.usgovcloudapi.net/.default"),
            ("https://management.chinacloudapi.cn/", None, "https://management.chinacloudapi.cn/.default"),
            ("https://arm.corp.example:8443/x", None, "https://arm.corp.example:8443/.default"),
            ("https://management.azure.com.example/", None, "https://management.azure.com.example/.default"),
            (
                "https://arm.corp.example/",
                Some("https://management.azure.com"),
                "https://management.azure.com/.default",
            ),
            ("https://arm.corp.example/", Some("api://arm/.default"), "api://arm/.default"),
        ];
        for (endpoint, audience, scope) in table {
            assert_eq!(token_scope(&endpoint.parse().unwrap(), audience), scope);
        }
    }
}
