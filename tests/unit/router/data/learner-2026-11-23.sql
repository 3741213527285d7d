BEGIN TRANSACTION;
CREATE TABLE alembic_version_neuroforge (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_neuroforge_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version_neuroforge" VALUES('0003');
CREATE TABLE nf_api_keys (
	seq INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	spec TEXT NOT NULL, 
	secret_sha256 TEXT NOT NULL, 
	created_at_s DOUBLE NOT NULL, 
	revoked_at_s DOUBLE, 
	PRIMARY KEY (seq), 
	UNIQUE (id), 
	UNIQUE (secret_sha256)
);
CREATE TABLE nf_audit (
	seq INTEGER NOT NULL, 
	event TEXT NOT NULL, 
	previous_hash TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	PRIMARY KEY (seq)
);
CREATE TABLE nf_audit_head (
	id INTEGER NOT NULL CONSTRAINT nf_audit_head_one_row CHECK (id = 1), 
	seq BIGINT NOT NULL, 
	hash TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "nf_audit_head" VALUES(1,0,'0000000000000000000000000000000000000000000000000000000000000000');
CREATE TABLE nf_exports (
	path TEXT NOT NULL, 
	at_s DOUBLE NOT NULL, 
	n_rows BIGINT NOT NULL, 
	PRIMARY KEY (path)
);
CREATE TABLE nf_feedback (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	decision_id TEXT NOT NULL, 
	at_s DOUBLE NOT NULL, 
	score DOUBLE NOT NULL, 
	status TEXT NOT NULL, 
	preferred_answer TEXT, 
	comment TEXT
);
INSERT INTO "nf_feedback" VALUES(1,'d0',1000000002.0,1.0,'accepted',NULL,NULL);
INSERT INTO "nf_feedback" VALUES(2,'d1',1000000002.5,1.0,'accepted',NULL,NULL);
INSERT INTO "nf_feedback" VALUES(3,'d2',1000000003.0,1.0,'accepted',NULL,NULL);
INSERT INTO "nf_feedback" VALUES(4,'d3',1000000003.5,1.0,'accepted',NULL,NULL);
INSERT INTO "nf_feedback" VALUES(5,'d4',1000000004.0,1.0,'accepted',NULL,NULL);
INSERT INTO "nf_feedback" VALUES(6,'d5',1000000004.5,1.0,'accepted',NULL,NULL);
INSERT INTO "nf_feedback" VALUES(7,'d6',1000000005.0,1.0,'accepted',NULL,NULL);
INSERT INTO "nf_feedback" VALUES(8,'d7',1000000005.5,1.0,'accepted',NULL,NULL);
INSERT INTO "nf_feedback" VALUES(9,'d8',1000000006.0,1.0,'accepted',NULL,NULL);
INSERT INTO "nf_feedback" VALUES(10,'d9',1000000006.5,0.0,'accepted',NULL,NULL);
INSERT INTO "nf_feedback" VALUES(11,'d10',1000000007.0,0.0,'accepted',NULL,NULL);
INSERT INTO "nf_feedback" VALUES(12,'d11',1000000007.5,0.0,'accepted',NULL,NULL);
INSERT INTO "nf_feedback" VALUES(13,'d12',1000000010.0,1.0,'accepted',NULL,NULL);
CREATE TABLE nf_fits (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	fit_id TEXT NOT NULL, 
	first_version BIGINT NOT NULL, 
	applied_at_s DOUBLE NOT NULL, 
	content BLOB
);
CREATE TABLE nf_learner (
	id INTEGER NOT NULL CONSTRAINT nf_learner_one_row CHECK (id = 1), 
	version BIGINT NOT NULL, 
	online BLOB NOT NULL, 
	redo_seq BIGINT NOT NULL, 
	n_dropped BIGINT NOT NULL, 
	saved_at_s DOUBLE NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "nf_learner" VALUES(1,13,X'08010000000000007B22302E6D6F6D656E74223A7B226474797065223A22463634222C227368617065223A5B325D2C22646174615F6F666673657473223A5B302C31365D7D2C22302E707265636973696F6E223A7B226474797065223A22463634222C227368617065223A5B322C325D2C22646174615F6F666673657473223A5B31362C34385D7D2C227072696F725F76617269616E636573223A7B226474797065223A22463634222C227368617065223A5B325D2C22646174615F6F666673657473223A5B34382C36345D7D2C2268656164223A7B226474797065223A225538222C227368617065223A5B3135375D2C22646174615F6F666673657473223A5B36342C3232315D7D7D2020202020200000000000000840000000000000F83F0000000000002840000000000000184000000000000018400000000000000840000000000000D03F000000000000D03F7B22666F726D6174223A20226E6575726F666F7267652E6F6E6C696E652E31222C202262617369735F6964223A2022222C202268616C665F6C6966655F73223A203630343830302E302C20227265666572656E63655F73223A20313030303030303030302E302C20226E65776573745F73223A20313030303030303030302E302C202277656967687473223A207B22736D616C6C223A2031322E307D7D',12,0,1000000010.0);
CREATE TABLE nf_model_specs (
	id TEXT NOT NULL, 
	spec TEXT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE nf_outcomes (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	decision_id TEXT NOT NULL, 
	at_s DOUBLE NOT NULL, 
	actor TEXT NOT NULL, 
	model_id TEXT NOT NULL, 
	score DOUBLE, 
	score_source TEXT, 
	learned_weight DOUBLE, 
	fit_id TEXT NOT NULL, 
	base_quality DOUBLE, 
	basis BLOB, 
	decision TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	embedding BLOB, 
	prompt TEXT, 
	answer TEXT, 
	UNIQUE (decision_id)
);
INSERT INTO "nf_outcomes" VALUES(1,'d0',1000000000.0,'ann','small',1.0,'explicit',1.0,'',0.5,X'0000803F0000003F','{"decision_id":"d0","request_id":"r0","model_id":"small","policy":"auto","reason":"utility","snapshot_version":1}','{"decision_id":"d0","request_id":"r0","model_id":"small","policy":"auto","status":200,"finish_reason":"stop","n_completion_tokens":5,"latency_s":0.5}',NULL,NULL,'Paris');
INSERT INTO "nf_outcomes" VALUES(2,'d1',1000000000.0,'ann','small',1.0,'explicit',1.0,'',0.5,X'0000803F0000003F','{"decision_id":"d1","request_id":"r1","model_id":"small","policy":"auto","reason":"utility","snapshot_version":1}','{"decision_id":"d1","request_id":"r1","model_id":"small","policy":"auto","status":200,"finish_reason":"stop","n_completion_tokens":5,"latency_s":0.5}',NULL,NULL,'Paris');
INSERT INTO "nf_outcomes" VALUES(3,'d2',1000000000.0,'ann','small',1.0,'explicit',1.0,'',0.5,X'0000803F0000003F','{"decision_id":"d2","request_id":"r2","model_id":"small","policy":"auto","reason":"utility","snapshot_version":1}','{"decision_id":"d2","request_id":"r2","model_id":"small","policy":"auto","status":200,"finish_reason":"stop","n_completion_tokens":5,"latency_s":0.5}',NULL,NULL,'Paris');
INSERT INTO "nf_outcomes" VALUES(4,'d3',1000000000.0,'ann','small',1.0,'explicit',1.0,'',0.5,X'0000803F0000003F','{"decision_id":"d3","request_id":"r3","model_id":"small","policy":"auto","reason":"utility","snapshot_version":1}','{"decision_id":"d3","request_id":"r3","model_id":"small","policy":"auto","status":200,"finish_reason":"stop","n_completion_tokens":5,"latency_s":0.5}',NULL,NULL,'Paris');
INSERT INTO "nf_outcomes" VALUES(5,'d4',1000000000.0,'ann','small',1.0,'explicit',1.0,'',0.5,X'0000803F0000003F','{"decision_id":"d4","request_id":"r4","model_id":"small","policy":"auto","reason":"utility","snapshot_version":1}','{"decision_id":"d4","request_id":"r4","model_id":"small","policy":"auto","status":200,"finish_reason":"stop","n_completion_tokens":5,"latency_s":0.5}',NULL,NULL,'Paris');
INSERT INTO "nf_outcomes" VALUES(6,'d5',1000000000.0,'ann','small',1.0,'explicit',1.0,'',0.5,X'0000803F0000003F','{"decision_id":"d5","request_id":"r5","model_id":"small","policy":"auto","reason":"utility","snapshot_version":1}','{"decision_id":"d5","request_id":"r5","model_id":"small","policy":"auto","status":200,"finish_reason":"stop","n_completion_tokens":5,"latency_s":0.5}',NULL,NULL,'Paris');
INSERT INTO "nf_outcomes" VALUES(7,'d6',1000000000.0,'ann','small',1.0,'explicit',1.0,'',0.5,X'0000803F0000003F','{"decision_id":"d6","request_id":"r6","model_id":"small","policy":"auto","reason":"utility","snapshot_version":1}','{"decision_id":"d6","request_id":"r6","model_id":"small","policy":"auto","status":200,"finish_reason":"stop","n_completion_tokens":5,"latency_s":0.5}',NULL,NULL,'Paris');
INSERT INTO "nf_outcomes" VALUES(8,'d7',1000000000.0,'ann','small',1.0,'explicit',1.0,'',0.5,X'0000803F0000003F','{"decision_id":"d7","request_id":"r7","model_id":"small","policy":"auto","reason":"utility","snapshot_version":1}','{"decision_id":"d7","request_id":"r7","model_id":"small","policy":"auto","status":200,"finish_reason":"stop","n_completion_tokens":5,"latency_s":0.5}',NULL,NULL,'Paris');
INSERT INTO "nf_outcomes" VALUES(9,'d8',1000000000.0,'ann','small',1.0,'explicit',1.0,'',0.5,X'0000803F0000003F','{"decision_id":"d8","request_id":"r8","model_id":"small","policy":"auto","reason":"utility","snapshot_version":1}','{"decision_id":"d8","request_id":"r8","model_id":"small","policy":"auto","status":200,"finish_reason":"stop","n_completion_tokens":5,"latency_s":0.5}',NULL,NULL,'Paris');
INSERT INTO "nf_outcomes" VALUES(10,'d9',1000000000.0,'ann','small',0.0,'explicit',1.0,'',0.5,X'0000803F0000003F','{"decision_id":"d9","request_id":"r9","model_id":"small","policy":"auto","reason":"utility","snapshot_version":1}','{"decision_id":"d9","request_id":"r9","model_id":"small","policy":"auto","status":200,"finish_reason":"stop","n_completion_tokens":5,"latency_s":0.5}',NULL,NULL,'Paris');
INSERT INTO "nf_outcomes" VALUES(11,'d10',1000000000.0,'ann','small',0.0,'explicit',1.0,'',0.5,X'0000803F0000003F','{"decision_id":"d10","request_id":"r10","model_id":"small","policy":"auto","reason":"utility","snapshot_version":1}','{"decision_id":"d10","request_id":"r10","model_id":"small","policy":"auto","status":200,"finish_reason":"stop","n_completion_tokens":5,"latency_s":0.5}',NULL,NULL,'Paris');
INSERT INTO "nf_outcomes" VALUES(12,'d11',1000000000.0,'ann','small',0.0,'explicit',1.0,'',0.5,X'0000803F0000003F','{"decision_id":"d11","request_id":"r11","model_id":"small","policy":"auto","reason":"utility","snapshot_version":1}','{"decision_id":"d11","request_id":"r11","model_id":"small","policy":"auto","status":200,"finish_reason":"stop","n_completion_tokens":5,"latency_s":0.5}',NULL,NULL,'Paris');
INSERT INTO "nf_outcomes" VALUES(13,'d12',1000000000.0,'ann','small',1.0,'explicit',1.0,'',0.5,X'0000803F0000003F','{"decision_id":"d12","request_id":"r12","model_id":"small","policy":"auto","reason":"utility","snapshot_version":1}','{"decision_id":"d12","request_id":"r12","model_id":"small","policy":"auto","status":200,"finish_reason":"stop","n_completion_tokens":5,"latency_s":0.5}',NULL,NULL,'Paris');
CREATE TABLE nf_redo (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	decision_id TEXT NOT NULL, 
	score DOUBLE NOT NULL, 
	weight DOUBLE NOT NULL, 
	at_s DOUBLE NOT NULL
);
INSERT INTO "nf_redo" VALUES(13,'d12',1.0,1.0,1000000000.0);
CREATE TABLE nf_rules (
	seq INTEGER NOT NULL, 
	proposal_id TEXT NOT NULL, 
	version INTEGER, 
	state TEXT NOT NULL, 
	entry TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	UNIQUE (proposal_id), 
	UNIQUE (version)
);
CREATE TABLE nf_rules_head (
	id INTEGER NOT NULL CONSTRAINT nf_rules_head_one_row CHECK (id = 1), 
	version INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "nf_rules_head" VALUES(1,0);
CREATE TRIGGER nf_audit_no_update BEFORE UPDATE ON nf_audit
    BEGIN SELECT RAISE(ABORT, 'nf_audit is append-only: UPDATE refused'); END;
CREATE TRIGGER nf_audit_no_delete BEFORE DELETE ON nf_audit
    BEGIN SELECT RAISE(ABORT, 'nf_audit is append-only: DELETE refused'); END;
CREATE TRIGGER nf_audit_in_order BEFORE INSERT ON nf_audit
    WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM nf_audit)
    BEGIN SELECT RAISE(ABORT, 'nf_audit is append-only: INSERT out of order refused'); END;
CREATE TRIGGER nf_audit_head_no_insert BEFORE INSERT ON nf_audit_head
    BEGIN SELECT RAISE(ABORT, 'nf_audit_head has one row: INSERT refused'); END;
CREATE TRIGGER nf_audit_head_no_delete BEFORE DELETE ON nf_audit_head
    BEGIN SELECT RAISE(ABORT, 'nf_audit_head has one row: DELETE refused'); END;
CREATE TRIGGER nf_audit_head_forward BEFORE UPDATE ON nf_audit_head
    WHEN NEW.seq <= OLD.seq
      OR NEW.seq IS NOT (SELECT max(seq) FROM nf_audit)
      OR NEW.hash IS NOT (SELECT hash FROM nf_audit WHERE seq = NEW.seq)
    BEGIN SELECT RAISE(ABORT, 'nf_audit_head names the last record: UPDATE refused'); END;
CREATE INDEX ix_nf_outcomes_at_s ON nf_outcomes (at_s);
CREATE INDEX nf_outcomes_scored ON nf_outcomes (seq) WHERE score IS NOT NULL;
CREATE INDEX ix_nf_feedback_decision_id ON nf_feedback (decision_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('nf_outcomes',13);
INSERT INTO "sqlite_sequence" VALUES('nf_feedback',13);
INSERT INTO "sqlite_sequence" VALUES('nf_redo',13);
COMMIT;
