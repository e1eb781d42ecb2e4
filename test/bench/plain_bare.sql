\set id random(1, 99000)
SELECT plain_bare(jsonb_build_object('id', :id::int, 'qty', 2));
