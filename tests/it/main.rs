mod cli;
mod deploy;
mod docs;
mod kafka;
