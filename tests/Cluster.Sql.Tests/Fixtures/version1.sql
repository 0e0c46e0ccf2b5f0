-- A cluster's file as the release of schema version 1 made and wrote it: two nodes, one of them evicted, two rooms. Never to be changed.
PRAGMA journal_mode=WAL;
BEGIN;
CREATE TABLE cluster(
    id INTEGER PRIMARY KEY CHECK (id = 1), uuid BLOB NOT NULL, store_gen INTEGER NOT NULL, view INTEGER NOT NULL,
    hash_ver INTEGER NOT NULL, cfg_digest TEXT NOT NULL, next_inc INTEGER NOT NULL, next_shard INTEGER NOT NULL);
CREATE TABLE shard_type(type TEXT PRIMARY KEY, shard_count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE member(
    inc INTEGER PRIMARY KEY, name TEXT NOT NULL, host TEXT NOT NULL, link_address TEXT NOT NULL, client_url TEXT NOT NULL,
    roles TEXT NOT NULL, zone TEXT NOT NULL, weight REAL NOT NULL, proto_min INTEGER NOT NULL, proto_max INTEGER NOT NULL,
    status TEXT NOT NULL, up_view INTEGER NOT NULL, lease_seq INTEGER NOT NULL, lease_at INTEGER NOT NULL,
    lock_path TEXT, lock_boot_id TEXT, lock_device INTEGER, lock_inode INTEGER, lock_nonce TEXT, dead_proof INTEGER NOT NULL,
    down_view INTEGER NOT NULL, down_reason TEXT NOT NULL, down_by INTEGER NOT NULL, down_at INTEGER NOT NULL, started_at INTEGER NOT NULL);
CREATE UNIQUE INDEX member_name ON member(name) WHERE status <> 'down';
CREATE UNIQUE INDEX member_link ON member(link_address) WHERE status <> 'down';
CREATE TABLE view_log(
    view INTEGER PRIMARY KEY, op_id BLOB NOT NULL UNIQUE, by_inc INTEGER NOT NULL, reason TEXT NOT NULL,
    change TEXT NOT NULL, members TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE shard(
    shard_no INTEGER PRIMARY KEY, type TEXT NOT NULL, key TEXT NOT NULL, epoch INTEGER NOT NULL, owner_inc INTEGER, target_inc INTEGER,
    prev_inc INTEGER, state TEXT NOT NULL, next_seq INTEGER NOT NULL, last_batch BLOB, UNIQUE(type, key));
CREATE INDEX shard_owner ON shard(owner_inc);
CREATE INDEX shard_target ON shard(target_inc);
CREATE TABLE shard_log(
    shard_no INTEGER NOT NULL, epoch INTEGER NOT NULL, owner_inc INTEGER NOT NULL, view INTEGER NOT NULL,
    PRIMARY KEY(shard_no, epoch)) WITHOUT ROWID;
CREATE TABLE journal(
    row_id INTEGER PRIMARY KEY, shard_no INTEGER NOT NULL, shard_seq INTEGER NOT NULL, entity TEXT NOT NULL, entity_seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL, owner_inc INTEGER NOT NULL, batch_id BLOB NOT NULL, client_id BLOB, client_seq INTEGER,
    kind TEXT NOT NULL, payload BLOB NOT NULL, result BLOB NOT NULL, at INTEGER NOT NULL, UNIQUE(entity, entity_seq));
CREATE TABLE snapshot(
    entity TEXT NOT NULL, entity_seq INTEGER NOT NULL, epoch INTEGER NOT NULL, schema TEXT NOT NULL, payload BLOB NOT NULL,
    crc32c INTEGER NOT NULL, PRIMARY KEY(entity, entity_seq));
INSERT INTO cluster VALUES(1, x'6f1e7a0c2b3d4e5f8091a2b3c4d5e6f7', 1, 4, 1, 'digest', 3, 3);
INSERT INTO shard_type VALUES('room', 2);
INSERT INTO member VALUES(1, 'node1', 'hq', 'hq:8091', 'http://hq:8080', 'backend', 'east', 1.5, 1, 1, 'down', 2, 40, 1700000000000, '/data/nodes/node1/node.lock', 'boot', 5, 6, 'nonce', 1, 4, 'dead: its lock file is free', 2, 1700000100000, 1700000000000);
INSERT INTO member VALUES(2, 'node2', 'hq', 'hq:8092', 'http://hq:8081', '', '', 1.0, 1, 1, 'up', 4, 3, 1700000100000, NULL, NULL, NULL, NULL, NULL, 0, 0, '', 0, 0, 1700000090000);
INSERT INTO view_log VALUES(1, x'00000000000000000000000000000001', 1, 'joins', 'join node1#1 hq:8091', '1:joining', 1700000000000);
INSERT INTO view_log VALUES(2, x'00000000000000000000000000000002', 1, 'up', 'up #1', '1:up', 1700000000100);
INSERT INTO view_log VALUES(3, x'00000000000000000000000000000003', 2, 'joins', 'join node2#2 hq:8092', '1:up,2:joining', 1700000090000);
INSERT INTO view_log VALUES(4, x'00000000000000000000000000000004', 2, 'up', 'down #1 (dead: its lock file is free) with proof; up #2', '2:up', 1700000100000);
INSERT INTO shard VALUES(1, 'room', '0', 2, 2, 2, NULL, 'owned', 5, x'000000000000000000000000000000b2');
INSERT INTO shard VALUES(2, 'room', '1', 1, NULL, 2, 1, 'free', 2, x'000000000000000000000000000000b3');
INSERT INTO shard_log VALUES(1, 1, 1, 2), (2, 1, 1, 2), (1, 2, 2, 4);
INSERT INTO journal VALUES(1, 1, 1, 'room/a', 1, 1, 1, x'000000000000000000000000000000b1', x'000000000000000000000000000000c1', 1, 'said.v1', x'01', x'0a', 1700000000200);
INSERT INTO journal VALUES(2, 1, 2, 'room/a', 2, 1, 1, x'000000000000000000000000000000b1', x'000000000000000000000000000000c1', 2, 'said.v1', x'02', x'', 1700000000300);
INSERT INTO journal VALUES(3, 1, 3, 'room/a', 3, 1, 1, x'000000000000000000000000000000b1', NULL, NULL, 'joined.v1', x'', x'', 1700000000400);
INSERT INTO journal VALUES(4, 2, 1, 'room/größer', 1, 1, 1, x'000000000000000000000000000000b3', x'000000000000000000000000000000c2', 1, 'said.v1', x'04', x'0d', 1700000000500);
INSERT INTO journal VALUES(5, 1, 4, 'room/a', 4, 2, 2, x'000000000000000000000000000000b2', x'000000000000000000000000000000c2', 2, 'said.v1', x'05', x'0e', 1700000100100);
INSERT INTO snapshot VALUES('room/a', 2, 1, 'room.v1', x'0102', 1667757220), ('room/a', 3, 1, 'room.v1', x'010203', 737601475);
COMMIT;
PRAGMA application_id=1094929491;
PRAGMA user_version=1;
