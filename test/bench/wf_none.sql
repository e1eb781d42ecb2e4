\set id random(1, 99000)
SELECT wf_run('ten none', jsonb_build_object('id', :id::int, 'qty', 2));
