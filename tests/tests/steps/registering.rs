//! Registries: instances of services, and Dubbo's providers, consumers and applications.

use crate::drills;
use crate::keeping::{a_while, comes_to_show};
use crate::scene::{Scene, nobody};
use quorate::client::{Client, Result};
use quorate::recipes::discovery::{Discovery, Registration, ServiceInstance, Strategy};
use quorate::recipes::dubbo::{Registry, Url};
use quorate::recipes::layout::discovery::ServiceType;
use quorate::recipes::layout::dubbo::application;
use std::collections::BTreeMap;
use std::time::Duration;

drills![
    an_instance: nobody, registers::<0>, calls_nobody;
    a_static_instance: nobody, registers::<1>, replaces::<1>;
    a_sequential_instance: nobody, registers::<2>, replaces::<2>;
    a_permanent_instance: nobody, registers::<3>, replaces::<3>;
    a_caller: registers_later, calls, calls_nobody;
    a_caller_who_reports_errors: registers_for_long, reports_errors, calls_nobody;
    a_provider_in_dubbos_registry: nobody, provides, finds_no_provider;
    a_consumer_in_dubbos_registry: provides_later, consumes, finds_no_provider;
    a_mapping_in_dubbos_registry: nobody, maps, maps_too;
    an_application_in_dubbos_registry: nobody, provides_an_application, finds_no_application;
    a_consumer_of_an_application: provides_an_application_later, consumes_an_application, finds_no_application;
];

fn instance() -> ServiceInstance {
    ServiceInstance::new("web", "one")
}

/// Instances of all types have the same life.
const TYPES: [ServiceType; 4] = [
    ServiceType::Dynamic,
    ServiceType::Static,
    ServiceType::DynamicSequential,
    ServiceType::Permanent,
];

fn of_type(service_type: ServiceType) -> ServiceInstance {
    ServiceInstance { service_type, ..instance() }
}

async fn registers<const TYPE: usize>(scene: Scene) -> Option<()> {
    let discovery = Discovery::new(&scene.client, "/services");
    let whole = async {
        let mut registration = discovery.register(of_type(TYPES[TYPE])).await?;
        registration.set_weight(3).await?;
        registration.drain().await?;
        registration.resume().await?;
        registration.unregister().await;
        Ok(())
    };
    scene.act(whole).await
}

async fn registers_later(scene: Scene) -> Option<()> {
    let discovery = Discovery::new(&scene.client, "/services");
    scene.pause().await;
    let registration = scene.ok(discovery.register(instance()).await)?;
    scene.client.sleep(Duration::from_millis(50)).await;
    registration.unregister().await;
    Some(())
}

async fn calls(scene: Scene) -> Option<()> {
    let discovery = Discovery::new(&scene.client, "/services");
    let whole = async {
        let provider = discovery.provider("web", Strategy::RoundRobin)?;
        provider.ready().await?;
        // It comes, and it goes.
        for there in [true, false] {
            while provider.choose().is_some() != there {
                let mut changes = provider.changes();
                if a_while(&scene, changes.next()).await.is_none() {
                    break;
                }
            }
        }
        let what_there_is = || async {
            let there = discovery.instances("web").await?.len();
            Ok(provider.instances().len() == there)
        };
        comes_to_show(&scene, what_there_is).await
    };
    scene.act(whole).await
}

/// Without an end of its registration an instance that is not dynamic stays. Whoever registers it anew can end that.
async fn replaces<const TYPE: usize>(scene: Scene) -> Option<()> {
    let discovery = Discovery::new(&scene.client, "/services");
    let instances = scene.ok(discovery.instances("web").await)?;
    let most = usize::from(!scene.succeeded() && !TYPES[TYPE].is_dynamic());
    if instances.len() > most {
        scene.part.fail(format!("{instances:?}, ended: {}", scene.succeeded()));
    }
    let registration = scene.ok(discovery.register(of_type(TYPES[TYPE])).await)?;
    registration.unregister().await;
    let left = scene.ok(discovery.instances("web").await)?;
    if !left.is_empty() {
        scene.part.fail(format!("{left:?}"));
    }
    Some(())
}

/// One is there all the while, and fails.
async fn registers_for_long(scene: Scene) -> Option<()> {
    let discovery = Discovery::new(&scene.client, "/services");
    let registration = scene.ok(discovery.register(instance()).await)?;
    scene.pause().await;
    scene.client.sleep(Duration::from_millis(500)).await;
    registration.unregister().await;
    Some(())
}

/// After its first error it takes no calls, and again when the time is over or when it has registered anew.
async fn reports_errors(scene: Scene) -> Option<()> {
    let discovery = Discovery::new(&scene.client, "/services");
    let whole = async {
        let provider = discovery.provider("web", Strategy::Random)?.down_after(1, DOWN);
        provider.ready().await?;
        let environment = scene.client.environment();
        // Not in the world in which it has gone meanwhile.
        let Some(bad) = provider.choose() else { return Ok(()) };
        let reported = environment.now();
        provider.report_error(&bad);
        if provider.choose().is_some() || provider.instances().len() != 1 {
            scene.part.fail("an instance that is down takes calls");
        }
        scene.client.exists("/").await?;
        // Of what follows the first happens within the time, unless the process has slept.
        if provider.choose().is_some() && environment.now() - reported < DOWN_MS {
            scene.part.fail("an instance takes calls before its time");
        }
        scene.client.sleep(DOWN).await;
        let is_there = !provider.instances().is_empty();
        if is_there && provider.choose().is_none() {
            scene.part.fail("an instance is down for ever");
        }
        Ok(())
    };
    scene.act_once(whole).await
}

async fn calls_nobody(scene: Scene) -> Option<()> {
    let discovery = Discovery::new(&scene.client, "/services");
    let instances = scene.ok(discovery.instances("web").await)?;
    if !instances.is_empty() {
        scene.part.fail(format!("{instances:?}"));
    }
    let registration = scene.ok(discovery.register(instance()).await)?;
    registration.unregister().await;
    Some(())
}

fn registry(client: &Client) -> Registry {
    Registry::new(client, "/dubbo")
}

fn provider() -> Url {
    Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders").unwrap()
}

fn consumer() -> Url {
    Url::parse("consumer://10.0.0.2/org.shop.Orders").unwrap()
}

async fn provides(scene: Scene) -> Option<()> {
    let registry = registry(&scene.client);
    let whole = async {
        registry.register(&provider()).await?.unregister().await;
        Ok(())
    };
    scene.act(whole).await
}

async fn provides_later(scene: Scene) -> Option<()> {
    let registry = registry(&scene.client);
    scene.pause().await;
    let registration = scene.ok(registry.register(&provider()).await)?;
    scene.client.sleep(Duration::from_millis(50)).await;
    registration.unregister().await;
    Some(())
}

async fn consumes(scene: Scene) -> Option<()> {
    let registry = registry(&scene.client);
    let whole = async {
        let mut subscription = registry.subscribe(&consumer()).await?;
        for _ in 0..2 {
            a_while(&scene, subscription.next()).await.transpose()?;
        }
        Ok(())
    };
    scene.act(whole).await
}

async fn finds_no_provider(scene: Scene) -> Option<()> {
    let registry = registry(&scene.client);
    let found = scene.ok(registry.lookup(&consumer()).await)?;
    if !found.is_empty() {
        scene.part.fail(format!("{found:?}"));
    }
    let registration = scene.ok(registry.register(&provider()).await)?;
    registration.unregister().await;
    Some(())
}

async fn maps(scene: Scene) -> Option<()> {
    let registry = registry(&scene.client);
    scene.act_unsure(registry.map("org.shop.Orders", "shop")).await
}

async fn maps_too(scene: Scene) -> Option<()> {
    let registry = registry(&scene.client);
    let mapped = scene.ok(registry.mapped("org.shop.Orders").await)?;
    if !scene.may_have_happened(mapped.len()) {
        scene.part.fail(format!("{mapped:?}"));
    }
    scene.ok(registry.map("org.shop.Orders", "other").await)
}

fn metadata() -> BTreeMap<String, String> {
    BTreeMap::from([("dubbo.metadata.revision".to_owned(), "1".to_owned())])
}

async fn register_application(client: &Client) -> Result<Registration> {
    registry(client).register_application("shop", "10.0.0.1", 20880, &metadata(), 0).await
}

async fn provides_an_application(scene: Scene) -> Option<()> {
    let whole = async {
        let registration = register_application(&scene.client).await?;
        registry(&scene.client).map("org.shop.Orders", "shop").await?;
        registration.unregister().await;
        Ok(())
    };
    scene.act_unsure(whole).await
}

async fn provides_an_application_later(scene: Scene) -> Option<()> {
    scene.pause().await;
    let registration = scene.ok(register_application(&scene.client).await)?;
    scene.ok(registry(&scene.client).map("org.shop.Orders", "shop").await)?;
    scene.client.sleep(Duration::from_millis(50)).await;
    registration.unregister().await;
    Some(())
}

/// From the interface to the application, and from there to its instances.
async fn consumes_an_application(scene: Scene) -> Option<()> {
    let registry = registry(&scene.client);
    let whole = async {
        for name in registry.mapped("org.shop.Orders").await? {
            registry.applications().instances(&name).await?;
        }
        let provider = registry.applications().provider("shop", Strategy::RoundRobin)?;
        provider.ready().await?;
        let mut changes = provider.changes();
        while provider.choose().is_none() {
            if a_while(&scene, changes.next()).await.is_none() {
                break;
            }
        }
        Ok(())
    };
    scene.act(whole).await
}

async fn finds_no_application(scene: Scene) -> Option<()> {
    let registry = registry(&scene.client);
    let found = scene.ok(registry.applications().instances("shop").await)?;
    if !found.is_empty() {
        scene.part.fail(format!("{found:?}"));
    }
    scene.ok(registry.map("org.shop.Orders", "shop").await)?;
    let mapped = scene.ok(registry.mapped("org.shop.Orders").await)?;
    if !mapped.iter().eq(["shop"]) {
        scene.part.fail(format!("{mapped:?}"));
    }
    let registration = scene.ok(register_application(&scene.client).await)?;
    let found = scene.ok(registry.applications().instances("shop").await)?;
    if found.iter().map(application::metadata).ne([metadata()]) {
        scene.part.fail(format!("{found:?}"));
    }
    registration.unregister().await;
    Some(())
}

const DOWN: Duration = Duration::from_millis(DOWN_MS.unsigned_abs());
const DOWN_MS: i64 = 300;
