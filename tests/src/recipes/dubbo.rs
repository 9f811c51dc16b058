//! `dubbo.*`: Dubbo's registry below `path`.
//!
//! | verb | does |
//! |---|---|
//! | `register`, `unregister` | the URL `url` |
//! | `lookup` | what there is for `url` |
//! | `subscribe`, `seen` | follows what there is for `url`, as `as`; what was told last of each category |

use super::call::Call;
use super::shelf::Shelf;
use quorate::client::{Client, within};
use quorate::recipes::dubbo::{Registration, Registry, Subscription, Url};
use serde_json::{Map, Value, json};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Registries {
    client: Client,
    registered: Shelf<Registration>,
    subscribed: Shelf<(Subscription, Map<String, Value>)>,
}

impl Registries {
    pub(super) fn new(client: &Client) -> Self {
        let (registered, subscribed) = Default::default();
        Self { client: client.clone(), registered, subscribed }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        let registry = || call.path().map(|root| Registry::new(&self.client, root));
        let url = || Ok::<_, anyhow::Error>(Url::parse(call.text("url")?)?);
        let name = || Ok::<_, anyhow::Error>(format!("{}{}", call.path()?, call.text("url")?));
        Ok(match verb {
            "register" => {
                let registration = registry()?.register(&url()?).await?;
                json!(self.registered.put(&name()?, registration)?)
            }
            "unregister" => json!(self.registered.take(&name()?)?.unregister().await),
            "lookup" => json!(texts(&registry()?.lookup(&url()?).await?)),
            "subscribe" => {
                let subscription = registry()?.subscribe(&url()?).await?;
                json!(self.subscribed.put(call.name()?, (subscription, Map::new()))?)
            }
            "seen" => {
                let (mut subscription, mut seen) = self.subscribed.take(call.name()?)?;
                let environment = &**self.client.environment();
                while let Some(notice) = within(environment, MOMENT, subscription.next()).await {
                    let notice = notice?;
                    let category = notice.path.rsplit('/').next().unwrap_or_default().to_owned();
                    seen.insert(category, json!(texts(&notice.urls)));
                }
                self.subscribed.put(call.name()?, (subscription, seen.clone()))?;
                Value::Object(seen)
            }
            _ => return Err(call.unknown()),
        })
    }
}

fn texts(urls: &[Url]) -> Vec<String> {
    let mut texts: Vec<String> = urls.iter().map(Url::to_string).collect();
    texts.sort();
    texts
}

/// What has been told is there at once.
const MOMENT: Duration = Duration::from_millis(5);
