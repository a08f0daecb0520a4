//! Azure, as a replica reaches it: the real client, over a wire that leads into the world.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::http::Method;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::{AsyncRawResponse, Body, HttpClient, Request, StatusCode, headers::Headers},
};
use azure_fleet::{AzureFleet, Listing, OfferCache};
use azure_mgmt_containerservice::{
    self as client, Answered, Client, ClientOptions, ClusterId, Governor, HeldBack,
};
use engine::{Cluster, Glance};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    checks::{Checks, is_abort},
    sim::{Here, State},
};
use crate::{
    arm,
    world::{Answer, Call},
};

/// The operator's name in Azure.
pub(super) const OPERATOR: &str = "tidegate";
const ENDPOINT: &str = "https://management.azure.com";
/// Longer than a limit of Azure takes to recover.
const LONGEST_HOLD: Duration = Duration::from_secs(900);

/// Reads and writes on their way to Azure and back.
#[derive(Clone)]
struct Wire {
    here: Here,
    /// Whether what it reads is what upgrades know.
    watched: bool,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wire({})", self.here.replica)
    }
}

#[async_trait]
impl HttpClient for Wire {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let sent = Sent::new(request);
        let sent_at = self.here.state().now;
        if sent.method != Method::GET {
            let mut state = self.here.state();
            Checks::is_sent(&mut state, self.here.replica);
            if let Some(call) = sent.call() {
                Checks::note_clock(&mut state, self.here.replica, &call);
                super::happening::before_arrival(&mut state, &call);
            }
        }
        self.here.latency(30, 1500).await;
        let answer = sent.arrive(&mut self.here.state(), (self.here.replica, sent_at, self.watched));
        if sent.method != Method::GET && answer.is_success() {
            super::happening::after_change(&mut self.here.state(), self.here.replica);
        }
        self.here.latency(30, 1500).await;
        let late = Duration::try_from(answer.delivery.delay).unwrap_or_default();
        self.here.pause(late).await;
        if answer.delivery.lost {
            return Err(azure_core::Error::with_message(ErrorKind::Io, "the connection was cut"));
        }
        Ok(sent.received(answer))
    }
}

/// A request's parts.
struct Sent {
    method: Method,
    path: String,
    query: String,
    body: Value,
    if_match: Option<String>,
}

impl Sent {
    fn new(request: &Request) -> Self {
        let body = match request.body() {
            Body::Bytes(bytes) if !bytes.is_empty() => serde_json::from_slice(bytes).unwrap_or_default(),
            Body::Bytes(_) | Body::SeekableStream(_) => Value::Null,
        };
        let if_match = request.headers().get_optional_str(&"if-match".into()).map(str::to_owned);
        Self {
            method: Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or(Method::GET),
            path: request.url().path().to_owned(),
            query: request.url().query().unwrap_or_default().to_owned(),
            body,
            if_match,
        }
    }

    fn call(&self) -> Option<Call> {
        let Self { method, path, query, body, if_match } = self;
        arm::call_of(method, path, query, body.clone(), if_match.clone())
    }

    /// Azure takes the request and answers.
    fn arrive(&self, state: &mut State, (replica, sent_at, watched): (usize, Timestamp, bool)) -> Answer {
        let Some(call) = self.call() else {
            return Answer::new(
                404,
                serde_json::json!({"error": {"code": "NotFound", "message": "not modelled"}}),
            );
        };
        if !call.is_mutation() {
            let cluster = call.cluster().cloned();
            let read = Checks::subject_of_read(&call);
            let answer = state.world.call(state.now, OPERATOR, call);
            if !watched {
                return answer;
            }
            Checks::after_read(state, replica, read.as_ref(), &answer);
            if let Some(cluster) = cluster {
                super::happening::after_read(state, &cluster);
            }
            return answer;
        }
        if is_abort(&call) {
            let before = Checks::before_abort(state, &call, replica);
            let answer = state.world.call(state.now, OPERATOR, call.clone());
            tell(state, &call, &answer);
            Checks::after_abort(state, &call, &answer, before);
            return answer;
        }
        let before = Checks::before_mutation(state, &call, (replica, sent_at));
        let answer = state.world.call(state.now, OPERATOR, call.clone());
        if state.timeline.is_story() {
            super::script::answered(state, &call, before.as_ref(), &answer);
        } else {
            tell(state, &call, &answer);
        }
        Checks::after_mutation(state, &call, &answer, before);
        answer
    }

    fn received(&self, answer: Answer) -> AsyncRawResponse {
        let answer = match answer.delivery.instead {
            Some(instead) => *instead,
            None => answer,
        };
        let Answer { status, mut body, started, next, retry_after, delivery, remaining: _ } = answer;
        let mut headers = Headers::new();
        if let Some(next) = next {
            body["nextLink"] = arm::next_link(ENDPOINT, (&self.path, &self.query), next).into();
        }
        if let Some(seconds) = retry_after {
            headers.insert("retry-after", seconds.to_string());
        }
        if let Some(started) = started {
            let subscription = self.path.split('/').nth(2).unwrap_or_default();
            let url = format!(
                "{ENDPOINT}/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/{}/operations/{}?api-version=2026-05-01",
                started.location, started.id
            );
            headers.insert("azure-asyncoperation", url);
        }
        let (kind, content) = match delivery.html {
            Some(html) => ("text/html", html),
            None if body.is_null() => ("application/json", String::new()),
            None => ("application/json", body.to_string()),
        };
        headers.insert("content-type", kind);
        AsyncRawResponse::from_bytes(StatusCode::from(status), headers, content)
    }
}

fn tell(state: &mut State, call: &Call, answer: &Answer) {
    let status = answer.status;
    let code = answer.body["code"].as_str().or(answer.body["error"]["code"].as_str()).unwrap_or_default();
    let lost = if answer.delivery.lost { ", and the answer is lost" } else { "" };
    let words = format!("{}: {status} {code}{lost}", super::checks::describe(call));
    state.tell("azure", words.trim_end());
}

/// Tokens that are always good.
#[derive(Debug)]
struct AlwaysSignedIn;

#[async_trait]
impl TokenCredential for AlwaysSignedIn {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let far = azure_core::time::OffsetDateTime::from_unix_timestamp(253_370_764_800)
            .map_err(|error| azure_core::Error::new(ErrorKind::Credential, error))?;
        Ok(AccessToken { token: "token".into(), expires_on: far })
    }
}

/// Our own limiter, as a replica meets it: some calls are not sent.
struct Limiter(Here);

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Limiter({})", self.0.replica)
    }
}

#[async_trait]
impl Governor for Limiter {
    async fn admit(&self, _: &client::Call) -> Result<(), HeldBack> {
        let mut state = self.0.state();
        let probability = state.held_back;
        if probability > 0.0 && state.mishap(probability) {
            let retry_after = state.between(Duration::from_secs(1), LONGEST_HOLD);
            return Err(HeldBack { limit: "of calls in a simulation".to_owned(), retry_after });
        }
        Ok(())
    }

    fn answered(&self, _: &client::Call, _: &Answered) {}
}

/// A client of a replica.
pub(super) fn client(here: &Here, watched: bool) -> Client {
    let wire = Wire { here: here.clone(), watched };
    let client = Client::over(Arc::new(wire), ClientOptions::default(), Arc::new(AlwaysSignedIn))
        .expect("the defaults are good");
    client.with_governor(Arc::new(Limiter(here.clone())))
}

/// When a listing was begun, and what it showed.
type Listed = (Timestamp, Vec<(String, Cluster)>);

/// The listing that a replica's upgrades share.
#[derive(Clone)]
pub(super) struct SharedListing {
    here: Here,
    client: Client,
    last: Arc<Mutex<Option<Listed>>>,
}

impl SharedListing {
    pub(super) fn new(here: Here, client: Client) -> Self {
        Self { here, client, last: Arc::default() }
    }

    /// The cluster in the last listing, if that is good enough.
    fn shown(&self, cluster: &ClusterId, good: impl Fn(Timestamp) -> bool) -> Option<Glance> {
        let last = self.last.lock().ok()?;
        let (_, clusters) = last.as_ref().filter(|(began, _)| good(*began))?;
        let found = clusters.iter().find(|(id, _)| id.eq_ignore_ascii_case(cluster.as_str()));
        Some(found.map_or(Glance::Unavailable, |(_, cluster)| Glance::Seen(Box::new(cluster.clone()))))
    }
}

impl Listing for SharedListing {
    async fn glance(&self, cluster: &ClusterId, since: Option<Timestamp>) -> Glance {
        let (now, late, age) = {
            let mut state = self.here.state();
            let now = super::replica::clock(&state, self.here.replica);
            // To list a large fleet is most of what a long run has to do.
            (now, state.mishap(0.3), if state.is_long { 600 } else { 60 })
        };
        let recent = now - Duration::from_secs(age);
        if let Some(glance) = self.shown(cluster, |began| {
            began >= recent && began <= now && since.is_none_or(|since| began > since)
        }) {
            return glance;
        }
        if since.is_some() && late {
            return Glance::Pending;
        }
        let Ok(documents) = self.client.managed_clusters().list(cluster.subscription()).await else {
            return Glance::Unavailable;
        };
        let clusters = documents.iter().filter_map(|document| {
            let view = document.view();
            Some((view.id.clone()?, azure_fleet::cluster(view).ok()?))
        });
        if let Ok(mut last) = self.last.lock() {
            *last = Some((now, clusters.collect()));
        }
        self.shown(cluster, |began| since.is_none_or(|since| began > since)).unwrap_or(Glance::Pending)
    }
}

/// What a replica has of Azure.
pub(super) struct Azure {
    client: Client,
    listing: SharedListing,
    offers: Arc<OfferCache>,
}

impl Azure {
    pub(super) fn new(here: &Here) -> Self {
        Self::over(client(here, true), here)
    }

    /// For looks that are no part of any upgrade; what Azure offers is remembered for both, as in the operator.
    pub(super) fn unwatched(&self, here: &Here) -> Self {
        Self { offers: self.offers.clone(), ..Self::over(client(here, false), here) }
    }

    fn over(client: Client, here: &Here) -> Self {
        let listing = SharedListing::new(here.clone(), client.clone());
        Self { client, listing, offers: Arc::default() }
    }

    /// One cluster, as the operator's controllers look at it.
    pub(super) fn fleet(&self, here: &Here, id: &ClusterId) -> AzureFleet<SharedListing> {
        let clock = here.clone();
        let now = Arc::new(move || super::replica::clock(&clock.state(), clock.replica));
        AzureFleet::new(self.client.clone(), id.clone(), self.offers.clone(), now, self.listing.clone())
    }
}
