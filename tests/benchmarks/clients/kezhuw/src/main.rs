//! What the crate `zookeeper-client` costs: `kezhuw-bench get|set SERVERS COUNT`, as `client_bench.rs`.

use futures::stream::{FuturesOrdered, StreamExt};
use std::time::Instant;
use zookeeper_client::{Acls, Client, CreateMode};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (mode, servers) = (arguments[1].as_str(), arguments[2].as_str());
    let count: usize = arguments[3].parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::connect(servers).await.unwrap();
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        let _ = client.create("/bench", &[7; 100], &options).await;
        run(&client, mode, count / 10).await;
        let (start, cpu) = (Instant::now(), cpu_seconds());
        run(&client, mode, count).await;
        let (seconds, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        println!(r#"{{"ops": {count}, "seconds": {seconds}, "cpu": {cpu}}}"#);
    });
}

async fn run(client: &Client, mode: &str, count: usize) {
    if mode == "set" {
        let mut sets = FuturesOrdered::new();
        for _ in 0..count {
            sets.push_back(client.set_data("/bench", &[8; 100], None));
            while sets.len() >= WINDOW {
                sets.next().await.unwrap().unwrap();
            }
        }
        while let Some(set) = sets.next().await {
            set.unwrap();
        }
    } else {
        let mut gets = FuturesOrdered::new();
        for _ in 0..count {
            gets.push_back(client.get_data("/bench"));
            while gets.len() >= WINDOW {
                gets.next().await.unwrap().unwrap();
            }
        }
        while let Some(get) = gets.next().await {
            get.unwrap();
        }
    }
}

/// User and system time of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u32 = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
    f64::from(ticks) / 100.0
}

const WINDOW: usize = 1000;
