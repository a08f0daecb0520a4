//! What a person needs to point tools at a simulator.

use std::path::Path;

use simulator::{Ready, Scenario};

/// Lines for a terminal: addresses, and how Azure CLI and the SDKs get there.
pub(crate) fn text(ready: &Ready, scenario: &Scenario, ca_file: &Path) -> String {
    let Ready { endpoint, tenant, subscriptions, control, managed_identity, .. } = ready;
    let ca = ca_file.display();
    let secret = scenario.identities.iter().find_map(|identity| {
        let secret = identity.secret.as_ref()?;
        Some(format!("--username {} --password {secret}", identity.client_id))
    });
    let sign_in = secret.unwrap_or_else(|| "--username CLIENT-ID --password SECRET".to_owned());
    // One for each address: a cloud that is registered already keeps the address that it has.
    let port = endpoint.rsplit(':').next().unwrap_or_default();
    let folder = ca_file.with_file_name(format!("azure-cli-{port}"));
    let folder = folder.display();
    let subscription = subscriptions.first().map_or("SUBSCRIPTION", String::as_str);
    format!(
        "\
The simulator serves Azure Resource Manager and Entra at {endpoint}
  tenant {tenant}, certificate authority in {ca}
  GET {control}/ lists what tests and demo can do

Azure CLI, with a folder for its settings, so that your own stay signed in to Azure:
  export REQUESTS_CA_BUNDLE={ca} AZURE_CONFIG_DIR={folder} AZURE_CORE_INSTANCE_DISCOVERY=false
  az cloud register --name simulator --endpoint-resource-manager {endpoint}
  az cloud set --name simulator
  az login --service-principal --tenant {tenant} {sign_in}
  az aks list --subscription {subscription} --output table

SDKs: authority {endpoint}, instance discovery off, base URL {endpoint},
  scope https://management.azure.com/.default
  AZURE_POD_IDENTITY_AUTHORITY_HOST={control} or IDENTITY_ENDPOINT={control}/msi/token for managed identities
  ({managed_identity})
"
    )
}
