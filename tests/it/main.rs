mod cli;
mod kafka;
