//! U6: an address as Dubbo writes it, a provider that registers, a consumer that is told, also when the provider is
//! killed and nobody is left.
//!
//! `cargo run -p quorate --example u06_dubbo_registry`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use quorate::client::blocking::wait;
use quorate::recipes::dubbo::{Registry, Subscription, Url};
use quorate::server::Server;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .volatile()
        .free_port()
        .configure(|config| config.tick_time_ms = 50)
        .start()?;
    let port = server.address().ok_or("no address")?.port();
    // Nobody listens on the first one: the backup has to do. Sessions last a second.
    wait(story(&format!("zookeeper://127.0.0.1:1?backup=127.0.0.1:{port}&session=1000")))
}

async fn story(address: &str) -> Result<(), Box<dyn std::error::Error>> {
    println!("registry                 {address}");
    let (providers, consumers) =
        (Registry::connect(address).await?, Registry::connect(address).await?);
    let consumer = Url::parse("consumer://10.0.0.9/org.example.Greeter?version=1.0")?;
    let mut subscription = consumers.subscribe(&consumer).await?;
    expect(told(&mut subscription, "at first").await?, "empty://")?;

    let provider = Url::parse("dubbo://10.0.0.1:20880/org.example.Greeter?version=1.0")?;
    let registration = providers.register(&provider).await?;
    println!("a provider's node        {}", registration.path().unwrap_or_default());
    expect(told(&mut subscription, "a provider came").await?, "dubbo://10.0.0.1:20880/")?;

    providers.map("org.example.Greeter", "greeting-application").await?;
    println!("applications             {:?}", providers.mapped("org.example.Greeter").await?);

    // As if the provider were killed: nobody says goodbye.
    providers.client().abandon();
    let death = Instant::now();
    expect(told(&mut subscription, "its session is over").await?, "empty://")?;
    println!("nobody is left           {} ms after the death", death.elapsed().as_millis());
    Ok(())
}

async fn told(
    subscription: &mut Subscription,
    when: &str,
) -> Result<String, quorate::client::Error> {
    let urls: Vec<String> = subscription.next().await?.urls.iter().map(Url::to_string).collect();
    println!("{when:24} {}", urls.join(" "));
    Ok(urls.join(" "))
}

fn expect(text: String, beginning: &str) -> Result<(), Box<dyn std::error::Error>> {
    if text.starts_with(beginning) { Ok(()) } else { Err(format!("not so: {text}").into()) }
}
