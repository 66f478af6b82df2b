-- In which order an organization's events happened: several have one time.
ALTER TABLE webhook_events ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
UPDATE webhook_events SET seq = numbered.seq
    FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY org_id ORDER BY created_at, id) AS seq FROM webhook_events) AS numbered
    WHERE numbered.id = webhook_events.id;
CREATE INDEX webhook_events_seq ON webhook_events (org_id, seq);

-- Of jobs of one series, each is begun after the first tries of those before it.
ALTER TABLE jobs ADD COLUMN series TEXT COLLATE "C";
ALTER TABLE jobs ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
-- Their payload is {"event":"evt_<uuid>"}.
UPDATE jobs SET seq = e.seq, series = CASE e.model_id WHEN '' THEN e.id ELSE e.model_id END
    FROM webhook_events e WHERE jobs.kind = 'webhook.deliver' AND e.id = substr(jobs.payload, 11, 40);
CREATE INDEX jobs_series ON jobs (series, seq);
