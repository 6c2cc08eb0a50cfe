//! What a configuration needs to reach the emulator, by the names the shipped one uses.

use super::world::{Site, World};
use super::{keys, marketing_cloud, marketing_cloud_legacy, oauth2, salesforce, zuora};

pub(super) fn of(world: &World) -> Vec<(String, String)> {
    let mut variables = vec![
        ("DEMO_LOGIN_URL", world.origin(Site::Login)),
        ("DEMO_INSTANCE_HOST", world.authority(Site::InstanceA)),
        ("DEMO_CRM_CLIENT_ID", salesforce::CLIENT_ID.to_owned()),
        (
            "DEMO_CRM_CLIENT_SECRET",
            salesforce::CLIENT_SECRET.to_owned(),
        ),
        ("DEMO_USERNAME", salesforce::USERNAME.to_owned()),
        ("DEMO_PASSWORD", salesforce::PASSWORD.to_owned()),
        ("DEMO_SECURITY_TOKEN", salesforce::SECURITY_TOKEN.to_owned()),
        ("DEMO_CRM_PRIVATE_KEY", keys::RSA.to_owned()),
        ("DEMO_CRM_REFRESH_TOKEN", world.seed("salesforce")),
        ("DEMO_PRICING_URL", world.origin(Site::PricingProd)),
        ("DEMO_PRICING_DEV_URL", world.origin(Site::PricingDev)),
        ("DEMO_BILLING_URL", world.origin(Site::Billing)),
        ("DEMO_BILLING_CLIENT_ID", zuora::CLIENT_ID.to_owned()),
        (
            "DEMO_BILLING_CLIENT_SECRET",
            zuora::CLIENT_SECRET.to_owned(),
        ),
        ("DEMO_MAIL_HOST", world.authority(Site::CloudRest)),
        ("DEMO_MAIL_SOAP_HOST", world.authority(Site::CloudSoap)),
        ("DEMO_CONTROL_URL", world.origin(Site::Control)),
    ];
    variables.extend(mail(world));
    variables.extend(oauth(world));
    variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Both generations of Marketing Cloud.
fn mail(world: &World) -> [(&'static str, String); 10] {
    [
        (
            "DEMO_MAIL_LEGACY_LOGIN_URL",
            world.origin(Site::LegacyLogin),
        ),
        ("DEMO_MAIL_LEGACY_URL", world.origin(Site::LegacyRest)),
        ("DEMO_MAIL_SOAP_URL", world.origin(Site::CloudSoap)),
        (
            "DEMO_MAIL_LEGACY_CLIENT_ID",
            marketing_cloud_legacy::CLIENT_ID.to_owned(),
        ),
        (
            "DEMO_MAIL_LEGACY_CLIENT_SECRET",
            marketing_cloud_legacy::CLIENT_SECRET.to_owned(),
        ),
        (
            "DEMO_MAIL_LEGACY_REFRESH_TOKEN",
            world.seed("marketing-cloud-legacy"),
        ),
        ("DEMO_MAIL_LOGIN_URL", world.origin(Site::CloudLogin)),
        ("DEMO_MAIL_CLIENT_ID", marketing_cloud::CLIENT_ID.to_owned()),
        (
            "DEMO_MAIL_CLIENT_SECRET",
            marketing_cloud::CLIENT_SECRET.to_owned(),
        ),
        (
            "DEMO_MAIL_ACCOUNT_ID",
            marketing_cloud::ACCOUNTS[0].to_owned(),
        ),
    ]
}

/// The OAuth 2.0 server that nobody in particular runs.
fn oauth(world: &World) -> [(&'static str, String); 9] {
    [
        ("DEMO_OAUTH_TOKEN_URL", oauth2::token_url(world)),
        ("DEMO_OAUTH_API_URL", oauth2::api_url(world)),
        ("DEMO_OAUTH_CLIENT_ID", oauth2::CLIENT_ID.to_owned()),
        ("DEMO_OAUTH_CLIENT_SECRET", oauth2::CLIENT_SECRET.to_owned()),
        ("DEMO_OAUTH_USERNAME", oauth2::USERNAME.to_owned()),
        ("DEMO_OAUTH_PASSWORD", oauth2::PASSWORD.to_owned()),
        ("DEMO_OAUTH_PRIVATE_KEY", keys::RSA.to_owned()),
        ("DEMO_OAUTH_EC_PRIVATE_KEY", keys::EC.to_owned()),
        ("DEMO_OAUTH_REFRESH_TOKEN", world.seed("oauth2")),
    ]
}
