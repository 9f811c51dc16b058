//! What happens to those who stand still between reading an item and marking it, while its queue is reaped and made anew.

use super::store::{Item, Store};
use super::{Layout, WorkQueue};
use crate::client::blocking::wait;
use crate::client::{Client, Result};
use crate::server::Server;

fn server() -> Server {
    Server::builder().volatile().no_port().start().expect("a server starts")
}

async fn client(server: &Server) -> Result<Client> {
    Client::builder().in_process(server).connect().await
}

/// What one has read of a queue whose only item is another by now, of the same name.
async fn outdated(queue: &WorkQueue) -> Result<(Store, Item)> {
    queue.put(b"older").await?;
    let item = queue.peek_all().await?.remove(0);
    queue.take().await?;
    queue.store.client.delete("/queue", None).await?;
    queue.put(b"newer").await?;
    Ok((queue.store.clone(), item))
}

#[test]
fn whoever_marks_an_item_has_the_one_beside_the_mark() {
    let server = server();
    wait(async {
        let client = client(&server).await?;
        let queue = WorkQueue::new(&client, "/queue", Layout::Curator);
        let (store, item) = outdated(&queue).await?;
        let name = item.name.clone();
        let held = store.hold_read(item, client.lifetime()).await?.expect("there is an item");
        assert_eq!((held.data(), &held.item().name), (&b"newer"[..], &name));
        held.complete().await?;
        assert!(queue.is_empty().await?);
        Result::Ok(())
    })
    .expect("nothing fails");
}
