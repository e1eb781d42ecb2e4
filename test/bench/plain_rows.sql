\set id random(1, 99000)
SELECT plain_rows(jsonb_build_object('id', :id::int, 'qty', 2));
