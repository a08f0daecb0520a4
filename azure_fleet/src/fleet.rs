//! One cluster in Azure, through the management client.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use azure_mgmt_containerservice::{
    Accepted, AgentPool, Client, ClusterId, Document, Error, ManagedCluster, OperationId, writes,
};
use engine::{
    Action, Cluster, Failure, Fleet, Glance, Maintenance, NodePool, OfferedVersion, Offers, OffersNeeded,
    OperationReport, Reading, RecentlyUsed, RegionVersion, Rejection, StepKind, Unreadable,
    planted::{PlantedBug, planted},
    published,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::{Listing, OfferCache, convert, settings::members, steady};

/// Tells the present, in whole seconds.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// One cluster in Azure.
pub struct AzureFleet<L> {
    client: Client,
    id: ClusterId,
    offers: Arc<OfferCache>,
    now: Now,
    listing: L,
    /// What is about to be sent, and the document that it changes, as read right before.
    held: Mutex<Option<(Action, Held)>>,
}

/// A document to be written back with one thing changed.
enum Held {
    Cluster(Document<ManagedCluster>),
    Pool(String, Document<AgentPool>),
}

impl<L: Listing> AzureFleet<L> {
    /// The cluster of that id, glanced at in `listing`.
    #[must_use]
    pub fn new(client: Client, id: ClusterId, offers: Arc<OfferCache>, now: Now, listing: L) -> Self {
        Self { client, id, offers, now, listing, held: Mutex::default() }
    }

    /// What Azure offers, as far as it is needed; what is known already is not asked for again.
    ///
    /// # Errors
    /// The client's, when something is not known and cannot be read.
    pub async fn read_offers(&self, cluster: &Cluster, needed: &OffersNeeded) -> Result<Offers, Error> {
        let control_plane =
            if needed.control_plane { self.control_plane(cluster).await? } else { Vec::new() };
        let region = self.region(&cluster.location).await?;
        let mut images = BTreeMap::new();
        // One after the other: the first of a family answers for the rest.
        for pool in cluster.pools.iter().filter(|pool| needed.images.contains(&pool.name)) {
            if let Some(image) = self.latest_image(&cluster.location, pool).await? {
                images.insert(pool.name.clone(), image);
            }
        }
        Ok(Offers { control_plane, region, images })
    }

    async fn region(&self, location: &str) -> Result<Vec<RegionVersion>, Error> {
        let (key, now) = (format!("{}/{location}", self.id.subscription().to_lowercase()), (self.now)());
        if let Some(versions) = self.offers.regions.get(&key, now) {
            return Ok(versions);
        }
        let answer = self.client.locations().kubernetes_versions(self.id.subscription(), location).await;
        let versions = convert::region(&answer?);
        self.offers.regions.put(key, now, versions.clone());
        Ok(versions)
    }

    async fn control_plane(&self, cluster: &Cluster) -> Result<Vec<OfferedVersion>, Error> {
        let (key, now) = (format!("{}@{}", self.key(), cluster.version), (self.now)());
        if let Some(offered) = self.offers.control_planes.get(&key, now) {
            return Ok(offered);
        }
        let answer = self.client.managed_clusters().upgrade_profile(&self.id).await;
        let offered = convert::offered(answer?.view());
        self.offers.control_planes.put(key, now, offered.clone());
        Ok(offered)
    }

    /// The newest image of a pool, if Azure names one.
    ///
    /// Azure releases images by region and family: pools that run the same version on the same family
    /// have the same newest one, so one of them is asked for all. One whose image is not older than that,
    /// and yet another, is asked for itself: what is known is out of date.
    async fn latest_image(&self, location: &str, pool: &NodePool) -> Result<Option<String>, Error> {
        let NodePool { name, version, node_image, os_sku, .. } = pool;
        let now = (self.now)();
        let family = node_image.rsplit_once('-').map(|(family, _)| family);
        let shared = family.map(|family| {
            format!("{}/{location}/{os_sku}/{family}@{version}", self.id.subscription().to_lowercase())
        });
        let known = shared.as_ref().and_then(|key| self.offers.images.get(key, now));
        if let Some(image) = known.filter(|image| image == node_image || is_newer(image, node_image)) {
            return Ok(Some(image));
        }
        let own = format!("{}/{name}@{version}@{node_image}", self.key());
        if let Some(image) = self.offers.pool_images.get(&own, now) {
            return Ok(image);
        }
        let profile = self.client.agent_pools().upgrade_profile(&self.id, name).await?;
        let image = profile.view().latest_node_image_version.clone();
        self.offers.pool_images.put(own, now, image.clone());
        if let (Some(key), Some(image)) = (shared, &image) {
            self.offers.images.put(key, now, image.clone());
        }
        Ok(image)
    }

    /// ARM ids differ in case between calls.
    fn key(&self) -> String {
        self.id.as_str().to_lowercase()
    }

    /// Reads what is to be changed.
    async fn read(&self, action: &Action) -> Result<Held, Error> {
        match action.pool_document() {
            None => self.client.managed_clusters().get(&self.id).await.map(Held::Cluster),
            Some(pool) => {
                let read = self.client.agent_pools().get(&self.id, pool).await?;
                Ok(Held::Pool(pool.to_owned(), read))
            }
        }
    }

    /// Writes the document back with what the action changes.
    async fn write(&self, action: &Action, held: Held) -> Result<Accepted, Error> {
        match held {
            Held::Pool(pool, read) => {
                let mut body = pool_body(action, read.value());
                if planted(PlantedBug::LoseNodeLabels) {
                    body["properties"]["nodeLabels"].take();
                }
                let etag = read.etag().filter(|_| !planted(PlantedBug::IgnoreETag));
                self.client.agent_pools().put(&self.id, &pool, &body, etag).await
            }
            Held::Cluster(read) => {
                let mut body = cluster_body(action, read.value());
                if planted(PlantedBug::LoseTags) {
                    body["tags"].take();
                }
                let etag = read.etag().filter(|_| !planted(PlantedBug::IgnoreETag));
                self.client.managed_clusters().put(&self.id, &body, etag).await
            }
        }
    }

    /// Stops what runs there. That nothing does any more is as good.
    async fn abort(&self, pool: Option<&str>) -> Result<Option<String>, Error> {
        let accepted = match pool {
            Some(pool) => self.client.agent_pools().abort(&self.id, pool).await?,
            None => self.client.managed_clusters().abort(&self.id).await?,
        };
        Ok(accepted.and_then(|accepted| name_of(&accepted)))
    }

    /// The document that was read for this very action; one that was read for another is thrown away.
    fn take_held(&self, action: &Action) -> Option<Held> {
        let (of, held) = self.held().take()?;
        (of == *action).then_some(held)
    }

    fn held(&self) -> MutexGuard<'_, Option<(Action, Held)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreadable(&self, error: &Error) -> Unreadable {
        if let Error::HeldBack(held) = error {
            return Unreadable::HeldBack(convert::held_back(held, (self.now)()));
        }
        let why = steady(&describe(error));
        if is_gone(error) { Unreadable::Gone(why) } else { Unreadable::Failed(why) }
    }

    fn rejection(&self, error: &Error) -> Rejection {
        if let Error::HeldBack(held) = error {
            return Rejection::HeldBack(convert::held_back(held, (self.now)()));
        }
        Rejection::Refused { failure: convert::failure(error), retry_after: error.retry_after() }
    }
}

/// Azure's name of an operation. Not its address: that is signed, and what is given here is recorded.
fn name_of(accepted: &Accepted) -> Option<String> {
    let operation = accepted.async_operation.as_ref()?.operation()?;
    Some(operation.to_string())
}

/// A pool's document with what the action changes.
fn pool_body(action: &Action, document: &Value) -> Value {
    match action {
        Action::Step { step, settings } => {
            let mut body = match step.image_after() {
                Some(image) => writes::agent_pool_rollback(document, step.version_after(), image),
                None => writes::agent_pool_upgrade(document, &step.to),
            };
            if !settings.is_empty() {
                writes::merge_upgrade_settings(&mut body, &members(settings));
            }
            body
        }
        Action::Override { settings, .. } | Action::Restore { settings, .. } => {
            writes::agent_pool_upgrade_settings(document, &members(settings))
        }
        // It has no document.
        Action::Abort { .. } => document.clone(),
    }
}

/// The cluster's document with what the action changes.
fn cluster_body(action: &Action, document: &Value) -> Value {
    match action {
        Action::Step { step, settings } => {
            let mut body = writes::control_plane_upgrade(document, &step.to);
            if !settings.is_empty() {
                writes::merge_override_settings(&mut body, &members(settings));
            }
            body
        }
        Action::Override { settings, .. } | Action::Restore { settings, .. } => {
            writes::cluster_override_settings(document, &members(settings))
        }
        // It has no document.
        Action::Abort { .. } => document.clone(),
    }
}

/// Whether Azure says that a resource does not exist. Not whatever it answers with 404: that it does
/// not find a subscription says no more than that we have no access there.
fn is_gone(error: &Error) -> bool {
    let codes = ["NotFound", "ParentResourceNotFound", "ResourceGroupNotFound", "ResourceNotFound"];
    let code = error.api().and_then(|api| api.code.as_deref());
    error.is_not_found()
        && code.is_some_and(|code| codes.iter().any(|known| known.eq_ignore_ascii_case(code)))
}

/// Whether asking again would give the same answer, and no report.
fn will_never_tell(error: &Error) -> bool {
    let is_final = |status: u16| (400..500).contains(&status) && !matches!(status, 401 | 408 | 429);
    matches!(error, Error::Decode { .. }) || error.status().is_some_and(is_final)
}

fn describe(error: &Error) -> String {
    let failure = convert::failure(error);
    match (failure.status, &failure.code) {
        (Some(status), Some(code)) => format!("{status} {code}: {}", failure.message),
        (Some(status), None) => format!("{status}: {}", failure.message),
        (None, _) => failure.message,
    }
}

/// Whether an image was published after another.
fn is_newer(image: &str, than: &str) -> bool {
    published(image).zip(published(than)).is_some_and(|(image, than)| image > than)
}

impl<L: Listing> Fleet for AzureFleet<L> {
    async fn glance(&self, since: Option<Timestamp>) -> Glance {
        self.listing.glance(&self.id, since).await
    }

    async fn cluster(&self) -> Reading<Cluster> {
        let answer = self.client.managed_clusters().get(&self.id).await;
        convert::cluster(answer.map_err(|error| self.unreadable(&error))?.view())
    }

    async fn recheck(&self, action: &Action, known: &Cluster) -> Reading<Cluster> {
        let held = match self.read(action).await {
            Ok(held) => held,
            Err(error) => {
                let pool = action.pool_document().filter(|_| is_gone(&error));
                let mut without = known.clone();
                without.pools.retain(|known| Some(known.name.as_str()) != pool);
                return if pool.is_some() { Ok(without) } else { Err(self.unreadable(&error)) };
            }
        };
        let cluster = match &held {
            Held::Cluster(read) => convert::cluster(read.view())?,
            Held::Pool(_, read) => {
                let pool = convert::pool(read.view())?;
                let mut cluster = known.clone();
                let same = cluster.pools.iter_mut().find(|known| known.name.eq_ignore_ascii_case(&pool.name));
                match same {
                    Some(known) => *known = pool,
                    None => cluster.pools.push(pool),
                }
                cluster
            }
        };
        *self.held() = Some((action.clone(), held));
        Ok(cluster)
    }

    async fn offers(&self, cluster: &Cluster, needed: &OffersNeeded) -> Reading<Offers> {
        self.read_offers(cluster, needed).await.map_err(|error| self.unreadable(&error))
    }

    async fn maintenance(&self) -> Reading<Maintenance> {
        let (key, now) = (self.key(), (self.now)());
        if let Some(known) = self.offers.maintenance.get(&key, now) {
            return Ok(known);
        }
        let answer = self.client.maintenance_configurations().list(&self.id).await;
        let documents = answer.map_err(|error| self.unreadable(&error))?;
        let maintenance = convert::maintenance(documents.iter().map(|document| document.view()));
        self.offers.maintenance.put(key, now, maintenance.clone());
        Ok(maintenance)
    }

    async fn recently_used(&self, pool: &str) -> Reading<Vec<RecentlyUsed>> {
        // Read anew each time: what is known may be older than the last upgrade.
        let answer = self.client.agent_pools().upgrade_profile(&self.id, pool).await;
        Ok(convert::recently_used(answer.map_err(|error| self.unreadable(&error))?.view()))
    }

    async fn submit(&self, action: &Action) -> Result<Option<String>, Rejection> {
        if let Action::Abort { pool, operation: _ } = action {
            return self.abort(pool.as_deref()).await.map_err(|error| self.rejection(&error));
        }
        let image = match action {
            Action::Step { step, .. } if step.kind == StepKind::NodePoolImage => step.pool.as_deref(),
            Action::Step { .. } | Action::Override { .. } | Action::Restore { .. } | Action::Abort { .. } => {
                None
            }
        };
        let answer = match (image, self.take_held(action)) {
            // It has no document to write.
            (Some(pool), _) => self.client.agent_pools().upgrade_node_image(&self.id, pool).await,
            (None, Some(held)) => self.write(action, held).await,
            (None, None) => {
                let subject = action.pool_document();
                let subject = subject.map_or("the cluster".to_owned(), |pool| format!("pool {pool}"));
                let message =
                    format!("{subject} was not read right before it was to be written: nothing was sent");
                let failure = Failure::new(None, None, None, &message);
                return Err(Rejection::Refused { failure, retry_after: None });
            }
        };
        match answer {
            Ok(accepted) => Ok(name_of(&accepted)),
            Err(error) => Err(self.rejection(&error)),
        }
    }

    async fn operation(&self, name: &str) -> Reading<OperationReport> {
        let unknown = OperationReport { running: false, failure: None };
        let Ok(OperationId { location, id }) = name.parse() else { return Ok(unknown) };
        let answer = self.client.operations().status_by_id(self.id.subscription(), &location, &id).await;
        match answer {
            // Azure forgets operations after some time; the resource itself tells the rest. So it does
            // where reading operations was not granted.
            Err(error) if will_never_tell(&error) => Ok(unknown),
            answer => Ok(convert::report(&answer.map_err(|error| self.unreadable(&error))?)),
        }
    }
}

#[cfg(test)]
mod tests;
