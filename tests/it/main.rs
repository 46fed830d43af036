mod cli;
mod deploy;
mod kafka;
