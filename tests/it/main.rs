mod cli;
mod codec;
mod deploy;
mod docs;
mod kafka;
mod operator;
mod records;
mod topology;
