//! The listeners: a socket on loopback for each site, one router, and their end.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::serve::ListenerExt;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use httpdate::fmt_http_date;
use tokio::net::TcpListener;

use super::answer::{self, Asked};
use super::world::{Site, World};
use super::{
    control, marketing_cloud, marketing_cloud_legacy, oauth2, salesforce, zilliant, zuora,
};

/// Binds a socket for every site: the next free port from `first` up, or any.
pub(super) async fn bind(first: Option<u16>) -> io::Result<Vec<(Site, TcpListener)>> {
    let mut next = first;
    let mut listeners = Vec::new();
    for site in Site::ALL {
        let listener = match &mut next {
            None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
            Some(port) => bind_from(port, first.unwrap_or_default()).await?,
        };
        listeners.push((site, listener));
    }
    Ok(listeners)
}

async fn bind_from(port: &mut u16, first: u16) -> io::Result<TcpListener> {
    loop {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).await;
        *port = port.checked_add(1).ok_or(io::ErrorKind::AddrInUse)?;
        match bound {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && *port - first < PORTS_TRIED => {}
            other => return other,
        }
    }
}

/// Serves one site until the world stops.
pub(super) fn serve(world: &Arc<World>, site: Site, listener: TcpListener) {
    let router = Router::new()
        .fallback(respond)
        .with_state((Arc::clone(world), site));
    let stop = world.stop.clone().cancelled_owned();
    let counted = Arc::clone(world);
    let listener = listener.tap_io(move |stream| {
        // Small answers leave at once; a failure to say so only costs time.
        let _ = stream.set_nodelay(true);
        counted.count(|counters| counters.connections += 1);
    });
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop);
    #[expect(
        clippy::disallowed_methods,
        reason = "the emulator's own listeners end with it"
    )]
    tokio::spawn(serving.into_future());
}

async fn respond(State((world, site)): State<(Arc<World>, Site)>, request: Request) -> Response {
    if site == Site::Control {
        return control::answer(&world, request).await;
    }
    let asked = Asked::of(request.headers());
    if !is_addressed_to(request.headers(), &world.authority(site)) {
        world.count(|counters| counters.wrong_host += 1);
        let body = "This host does not serve what was asked for.\n";
        return answer::text(StatusCode::MISDIRECTED_REQUEST, "text/plain", body);
    }
    let response = match site {
        Site::Login | Site::GenericLogin => salesforce::login(&world, site, request).await,
        Site::InstanceA | Site::InstanceB => salesforce::instance(&world, site, request).await,
        Site::PricingProd | Site::PricingDev => zilliant::answer(&world, site, request).await,
        Site::Billing | Site::Control => zuora::answer(&world, request).await,
        Site::Files => zuora::file(&world, request),
        Site::OauthLogin => oauth2::login(&world, request).await,
        Site::OauthApi => oauth2::api(&world, request).await,
        Site::LegacyLogin => marketing_cloud_legacy::login(&world, request).await,
        Site::CloudLogin => marketing_cloud::login(&world, request).await,
        Site::LegacyRest | Site::CloudRest => marketing_cloud::rest(&world, site, request).await,
        Site::CloudSoap => marketing_cloud::soap(&world, request).await,
    };
    let mut response = answer::dress(response, asked).await;
    // By the clock that everything else here goes by.
    let millis = u64::try_from(world.unix_ms()).unwrap_or_default();
    let date = fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// Exactly one `Host`, and that is this listener's own.
fn is_addressed_to(headers: &HeaderMap, authority: &str) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let first = hosts.next().map(|host| host.as_bytes());
    first == Some(authority.as_bytes()) && hosts.next().is_none()
}

const PORTS_TRIED: u16 = 400;
