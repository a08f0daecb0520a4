//! What a node of AKS looks like in the Kubernetes API.
//!
//! Pure: from the world's node to objects and patches, and back to the little that
//! the kubelet needs. Labels and names follow AKS's documentation ("Reserved system labels").

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{self as core, NodeAddress, NodeCondition, NodeSpec, NodeStatus, NodeSystemInfo, Taint},
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

use super::wall::stored;
use crate::{effects::Node, world::build_name};

/// Label that every node of the cluster carries; the driver looks only at those.
pub(super) const CLUSTER_LABEL: &str = "kubernetes.azure.com/cluster";
/// Label that every node of a node pool carries.
pub(super) const POOL_LABEL: &str = "kubernetes.azure.com/agentpool";
/// Label with the node's image.
pub(super) const IMAGE_LABEL: &str = "kubernetes.azure.com/node-image-version";
/// Label that AKS gives to a node that could not be drained.
pub(crate) const STATUS_LABEL: &str = "kubernetes.azure.com/upgrade-status";
/// Annotation that says that the driver, not a person, has cordoned the node.
pub(super) const CORDONED: &str = "simulator.tidegate.dev/cordoned";

/// The object that is created for a node; its status is written separately.
pub(crate) fn build_node(node: &Node) -> core::Node {
    core::Node {
        metadata: ObjectMeta {
            name: Some(node.name.clone()),
            labels: Some(build_labels(node)),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec {
            provider_id: Some(node.provider_id.clone()),
            taints: Some(merge_taints(&[], &node.taints)),
            ..NodeSpec::default()
        }),
        status: None,
    }
}

/// Every label of a node: those of its pool, and those of AKS and the kubelet over them.
pub(super) fn build_labels(node: &Node) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([("topology.kubernetes.io/zone".to_owned(), "0".to_owned())]);
    labels.extend(node.labels.clone());
    let os = node.os_type.to_ascii_lowercase();
    let mode = node.mode.to_ascii_lowercase();
    let fixed = [
        (POOL_LABEL, node.pool.as_str()),
        ("agentpool", &node.pool),
        (CLUSTER_LABEL, resource_group(&node.provider_id)),
        ("kubernetes.azure.com/mode", &mode),
        (IMAGE_LABEL, &node.node_image),
        ("kubernetes.azure.com/os-sku", &node.os_sku),
        ("kubernetes.azure.com/role", "agent"),
        ("kubernetes.io/arch", architecture(&node.vm_size)),
        ("kubernetes.io/hostname", &node.name),
        ("kubernetes.io/os", &os),
        ("node.kubernetes.io/instance-type", &node.vm_size),
        ("topology.kubernetes.io/region", &node.location),
    ];
    // Karpenter's nodes belong to no pool.
    let told = fixed.into_iter().filter(|(_, value)| !value.is_empty());
    labels.extend(told.map(|(key, value)| (key.to_owned(), value.to_owned())));
    labels
}

/// The group that holds the machines, out of `azure:///subscriptions/S/resourceGroups/GROUP/...`.
fn resource_group(provider_id: &str) -> &str {
    let mut parts = provider_id.split('/');
    parts.find(|part| part.eq_ignore_ascii_case("resourceGroups"));
    parts.next().unwrap_or_default()
}

/// ARM machines have a `p` among the letters after the number of processors: `Standard_D4pds_v5`.
fn architecture(vm_size: &str) -> &'static str {
    let family = vm_size.split('_').nth(1).unwrap_or_default();
    let features = family.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    if features.contains('p') { "arm64" } else { "amd64" }
}

/// The wanted taints, and of the present ones those that Kubernetes itself manages.
pub(crate) fn merge_taints(present: &[Taint], wanted: &[String]) -> Vec<Taint> {
    let managed = present.iter().filter(|taint| taint.key.starts_with("node.kubernetes.io/")).cloned();
    wanted.iter().filter_map(|text| read_taint(text)).chain(managed).collect()
}

/// Reads `key=value:Effect` or `key:Effect`.
fn read_taint(text: &str) -> Option<Taint> {
    let (rest, effect) = text.rsplit_once(':')?;
    let (key, value) = rest.split_once('=').map_or((rest, None), |(key, value)| (key, Some(value)));
    Some(Taint {
        key: key.to_owned(),
        value: value.filter(|value| !value.is_empty()).map(str::to_owned),
        effect: effect.to_owned(),
        time_added: None,
    })
}

/// The status of a node that has started `boot` times under this name and is Ready.
pub(crate) fn build_status(node: &Node, boot_id: &str, now: Timestamp) -> NodeStatus {
    let room = BTreeMap::from(
        [("cpu", "8"), ("memory", "32Gi"), ("ephemeral-storage", "128Gi"), ("pods", "110")]
            .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned()))),
    );
    let windows = node.os_type.eq_ignore_ascii_case("windows");
    let system = NodeSystemInfo {
        architecture: architecture(&node.vm_size).to_owned(),
        boot_id: boot_id.to_owned(),
        container_runtime_version: "containerd://2.1.6".to_owned(),
        kernel_version: if windows { "10.0.20348" } else { "5.15.0-1102-azure" }.to_owned(),
        kube_proxy_version: String::new(),
        kubelet_version: format!("v{}", build_name(node.kubernetes_version.trim_start_matches('v'))),
        machine_id: fingerprint(&[&node.provider_id]).replace('-', ""),
        operating_system: node.os_type.to_ascii_lowercase(),
        os_image: os_image(&node.os_sku, &node.node_image).to_owned(),
        swap: None,
        system_uuid: fingerprint(&[&node.provider_id, "system"]),
    };
    let address = |kind: &str, address: String| NodeAddress { type_: kind.to_owned(), address };
    NodeStatus {
        addresses: Some(vec![
            address("InternalIP", node_ip(&node.name)),
            address("Hostname", node.name.clone()),
        ]),
        allocatable: Some(room.clone()),
        capacity: Some(room),
        conditions: Some(build_conditions(Readiness::Ready, now)),
        node_info: Some(system),
        ..NodeStatus::default()
    }
}

/// What `status.nodeInfo.osImage` says for an AKS image.
fn os_image(sku: &str, image: &str) -> &'static str {
    let known = [
        ("2404", "Ubuntu 24.04.3 LTS"),
        ("2204", "Ubuntu 22.04.5 LTS"),
        ("azurelinux", "Microsoft Azure Linux 3.0"),
        ("2025", "Windows Server 2025 Datacenter"),
        ("2022", "Windows Server 2022 Datacenter"),
        ("2019", "Windows Server 2019 Datacenter"),
    ];
    let (sku, image) = (sku.to_ascii_lowercase(), image.to_ascii_lowercase());
    let family = image.split("containerd").next().unwrap_or_default();
    let named = |text: &str| known.iter().find(|(mark, _)| text.contains(mark)).map(|(_, name)| *name);
    named(&sku).or_else(|| named(family)).unwrap_or("Ubuntu 22.04.5 LTS")
}

/// Whether a node's kubelet says that it can take pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// It can.
    Ready,
    /// It is being reimaged.
    Reimaging,
}

/// The conditions that a kubelet reports; merged by type, so that others stay.
pub(super) fn build_conditions(readiness: Readiness, now: Timestamp) -> Vec<NodeCondition> {
    let condition = |kind: &str, status: bool, reason: &str, message: &str| NodeCondition {
        type_: kind.to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_heartbeat_time: Some(stored(now)),
        last_transition_time: Some(stored(now)),
    };
    let pressure = |kind, reason, message| condition(kind, false, reason, message);
    let ready = match readiness {
        Readiness::Ready => condition("Ready", true, "KubeletReady", "kubelet is posting ready status"),
        Readiness::Reimaging => condition("Ready", false, "KubeletNotReady", "node is being reimaged"),
    };
    vec![
        pressure("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        pressure("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        pressure("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ready,
    ]
}

/// The boot after the one called `previous`; the first one follows the empty text.
pub(crate) fn next_boot_id(node: &str, previous: &str) -> String {
    fingerprint(&[node, "boot", previous])
}

/// What the kubelet needs to know about its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NodeFacts {
    /// The kubelet's version with its v.
    pub(super) kubelet_version: String,
    /// The node image.
    pub(super) image: String,
    /// Changes with every reimage.
    pub(super) boot_id: String,
    /// Whether the Ready condition is True.
    pub(super) ready: bool,
    /// Address of the node.
    pub(super) ip: String,
}

impl NodeFacts {
    /// Reads a node; `None` until the driver has written its status.
    pub(super) fn read(node: &core::Node) -> Option<Self> {
        let status = node.status.as_ref()?;
        let info = status.node_info.as_ref().filter(|info| !info.boot_id.is_empty())?;
        let ready = |condition: &NodeCondition| condition.type_ == "Ready" && condition.status == "True";
        Some(Self {
            kubelet_version: info.kubelet_version.clone(),
            image: node.metadata.labels.as_ref()?.get(IMAGE_LABEL)?.clone(),
            boot_id: info.boot_id.clone(),
            ready: status.conditions.iter().flatten().any(ready),
            ip: node_ip(node.metadata.name.as_deref()?),
        })
    }
}

/// An address in AKS's default network for nodes, 10.224.0.0/16.
fn node_ip(name: &str) -> String {
    let [.., low, high] = hash(&[name, "ip"]).to_be_bytes();
    format!("10.224.{high}.{low}")
}

/// A text in the form of a UUID that depends only on `parts`.
pub(crate) fn fingerprint(parts: &[&str]) -> String {
    let (a, b) = (hash(parts), hash(&[&parts.concat(), "more"]));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xffff,
        b >> 48,
        b & 0xffff_ffff_ffff
    )
}

/// A number that depends only on `parts`.
pub(super) fn hash(parts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Node {
        Node {
            name: "aks-apps-12345678-vmss00000a".into(),
            pool: "apps".into(),
            mode: "User".into(),
            os_type: "Linux".into(),
            os_sku: "Ubuntu2204".into(),
            vm_size: "Standard_D8s_v5".into(),
            location: "westeurope".into(),
            kubernetes_version: "1.34.4".into(),
            node_image: "AKSUbuntu-2204gen2containerd-202510.03.1".into(),
            provider_id: "azure:///subscriptions/s/resourceGroups/MC_shop_prod_westeurope/providers/x".into(),
            labels: BTreeMap::from([
                ("team".into(), "shop".into()),
                ("topology.kubernetes.io/zone".into(), "westeurope-2".into()),
            ]),
            taints: vec!["CriticalAddonsOnly=true:NoSchedule".into(), "spot:NoExecute".into()],
        }
    }

    #[test]
    fn a_node_has_the_labels_and_taints_of_aks() {
        let node = build_node(&example());
        let labels = node.metadata.labels.as_ref().unwrap();
        for (key, value) in [
            ("agentpool", "apps"),
            ("kubernetes.azure.com/agentpool", "apps"),
            ("kubernetes.azure.com/cluster", "MC_shop_prod_westeurope"),
            ("kubernetes.azure.com/mode", "user"),
            ("kubernetes.azure.com/node-image-version", "AKSUbuntu-2204gen2containerd-202510.03.1"),
            ("kubernetes.azure.com/os-sku", "Ubuntu2204"),
            ("kubernetes.io/arch", "amd64"),
            ("kubernetes.io/hostname", "aks-apps-12345678-vmss00000a"),
            ("kubernetes.io/os", "linux"),
            ("node.kubernetes.io/instance-type", "Standard_D8s_v5"),
            ("topology.kubernetes.io/region", "westeurope"),
            ("topology.kubernetes.io/zone", "westeurope-2"),
            ("team", "shop"),
        ] {
            assert_eq!(labels.get(key).map(String::as_str), Some(value), "{key}");
        }
        let taints = node.spec.unwrap().taints.unwrap();
        assert_eq!(
            (taints[0].key.as_str(), taints[0].value.as_deref()),
            ("CriticalAddonsOnly", Some("true"))
        );
        assert_eq!((taints[1].key.as_str(), taints[1].value.as_deref()), ("spot", None));
        assert_eq!((taints[0].effect.as_str(), taints[1].effect.as_str()), ("NoSchedule", "NoExecute"));
    }

    #[test]
    fn taints_of_kubernetes_survive_those_of_the_pool() {
        let present =
            [read_taint("node.kubernetes.io/unschedulable:NoSchedule"), read_taint("old=1:NoSchedule")];
        let merged = merge_taints(&present.map(Option::unwrap), &["new=1:NoSchedule".to_owned()]);
        let keys = merged.iter().map(|taint| taint.key.as_str()).collect::<Vec<_>>();
        assert_eq!(keys, ["new", "node.kubernetes.io/unschedulable"]);
    }

    #[test]
    fn a_status_is_ready_and_read_back() {
        let example = example();
        let mut node = build_node(&example);
        assert_eq!(NodeFacts::read(&node), None);
        let boot = next_boot_id(&example.name, "");
        node.status = Some(build_status(&example, &boot, Timestamp::UNIX_EPOCH));
        let facts = NodeFacts::read(&node).unwrap();
        assert!(facts.ready && facts.ip.starts_with("10.224."));
        assert_eq!((facts.kubelet_version.as_str(), facts.boot_id.as_str()), ("v1.34.4", boot.as_str()));
        assert_ne!(next_boot_id(&example.name, &boot), boot);
        assert_eq!(boot.len(), 36);
        let long_term = Node { kubernetes_version: "1.31.100".into(), ..example };
        let shown = build_status(&long_term, &boot, Timestamp::UNIX_EPOCH).node_info.unwrap().kubelet_version;
        assert_eq!(shown, "v1.31.100-akslts");
        let status = node.status.unwrap();
        assert_eq!(status.node_info.unwrap().os_image, "Ubuntu 22.04.5 LTS");
        assert_eq!(status.capacity.unwrap()["pods"], Quantity("110".into()));
    }

    #[test]
    fn sizes_and_images_are_recognised() {
        assert_eq!([architecture("Standard_D4pds_v5"), architecture("Standard_DS2_v2")], ["arm64", "amd64"]);
        assert_eq!(os_image("Ubuntu", "AKSUbuntu-2404gen2containerd-202510.03.1"), "Ubuntu 24.04.3 LTS");
        assert_eq!(
            os_image("Windows2022", "AKSWindows-2022-containerd-20348.1"),
            "Windows Server 2022 Datacenter"
        );
        assert_eq!(os_image("AzureLinux", "AKSAzureLinux-V3gen2-202510.03.1"), "Microsoft Azure Linux 3.0");
    }
}
