-- sealing of secrets: AES-256-GCM and HKDF by their published vectors, what a ciphertext is bound to, markers, wiping
CREATE FUNCTION gcm_seal(key bytea, nonce bytea, associated bytea, plain bytea) RETURNS bytea AS '$libdir/workflow', 'wf_sql_test_gcm_seal' LANGUAGE C STRICT;
CREATE FUNCTION gcm_open(key bytea, nonce bytea, associated bytea, sealed bytea) RETURNS bytea AS '$libdir/workflow', 'wf_sql_test_gcm_open' LANGUAGE C STRICT;
CREATE FUNCTION hkdf(secret bytea, salt bytea, info bytea, len int) RETURNS bytea AS '$libdir/workflow', 'wf_sql_test_hkdf' LANGUAGE C STRICT;
CREATE FUNCTION master_key(key bytea) RETURNS void AS '$libdir/workflow', 'wf_sql_test_master_key' LANGUAGE C;
CREATE FUNCTION seal(tenant uuid, name text, version int, value text) RETURNS bytea[] AS '$libdir/workflow', 'wf_sql_test_seal' LANGUAGE C STRICT;
CREATE FUNCTION open(tenant uuid, name text, version int, sealed bytea[]) RETURNS text AS '$libdir/workflow', 'wf_sql_test_open' LANGUAGE C STRICT;
CREATE FUNCTION marker(nonce text, name text) RETURNS text AS '$libdir/workflow', 'wf_sql_test_marker' LANGUAGE C STRICT;
CREATE FUNCTION fill(source text, nonce text, names text[], vals text[], style int) RETURNS text AS '$libdir/workflow', 'wf_sql_test_fill' LANGUAGE C STRICT;
CREATE FUNCTION wiped(n int) RETURNS bool AS '$libdir/workflow', 'wf_sql_test_wiped' LANGUAGE C STRICT;
\pset format unaligned
\pset tuples_only on

-- GCM: test cases 13 to 16 of the specification that NIST took over
CREATE TABLE gcm (n int, key bytea, nonce bytea, associated bytea, plain bytea, sealed bytea);
INSERT INTO gcm VALUES
	(13, decode(repeat('00', 32), 'hex'), decode(repeat('00', 12), 'hex'), '', '', '\x530f8afbc74536b9a963b4f1c4cb738b'),
	(14, decode(repeat('00', 32), 'hex'), decode(repeat('00', 12), 'hex'), '', decode(repeat('00', 16), 'hex'), '\xcea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919'),
	(15, '\xfeffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308', '\xcafebabefacedbaddecaf888', '',
		'\xd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255',
		'\x522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015adb094dac5d93471bdec1a502270e3cc6c'),
	(16, '\xfeffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308', '\xcafebabefacedbaddecaf888', '\xfeedfacedeadbeeffeedfacedeadbeefabaddad2',
		'\xd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
		'\x522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b');
SELECT n, gcm_seal(key, nonce, associated, plain) = sealed AS seals, gcm_open(key, nonce, associated, sealed) = plain AS opens FROM gcm ORDER BY n;
-- one bit of anything
SELECT n, gcm_open(set_bit(key, 9, 1 - get_bit(key, 9)), nonce, associated, sealed) IS NULL AS key, gcm_open(key, set_bit(nonce, 95, 1 - get_bit(nonce, 95)), associated, sealed) IS NULL AS nonce,
	gcm_open(key, nonce, associated || '\x00', sealed) IS NULL AS associated,
	(SELECT bool_and(gcm_open(key, nonce, associated, set_bit(sealed, b, 1 - get_bit(sealed, b))) IS NULL) FROM generate_series(0, length(sealed) * 8 - 1) b) AS sealed,
	gcm_open(key, nonce, associated, substr(sealed, 2)) IS NULL AS shorter, gcm_open(key, nonce, associated, sealed || '\x00') IS NULL AS longer FROM gcm ORDER BY n;
SELECT gcm_open(key, nonce, associated, '') IS NULL, gcm_open(key, nonce, associated, '\x00') IS NULL FROM gcm WHERE n = 13;

-- HKDF: RFC 5869, A.1 to A.3
SELECT hkdf(decode(repeat('0b', 22), 'hex'), '\x000102030405060708090a0b0c', '\xf0f1f2f3f4f5f6f7f8f9', 42) = '\x3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865';
SELECT hkdf((SELECT decode(string_agg(lpad(to_hex(i), 2, '0'), '' ORDER BY i), 'hex') FROM generate_series(0, 79) i), (SELECT decode(string_agg(lpad(to_hex(i), 2, '0'), '' ORDER BY i), 'hex') FROM generate_series(96, 175) i),
	(SELECT decode(string_agg(lpad(to_hex(i), 2, '0'), '' ORDER BY i), 'hex') FROM generate_series(176, 255) i), 82)
	= '\xb11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87';
SELECT hkdf(decode(repeat('0b', 22), 'hex'), '', '', 42) = '\x8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8';

-- a value is bound to tenant, name and version, and to the master key
SELECT master_key('\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
\set a '''00000000-0000-7000-8000-00000000000a'''
\set b '''00000000-0000-7000-8000-00000000000b'''
CREATE TABLE sealed AS SELECT seal(:a, 'KEY', 1, 'the value') AS s, seal(:a, 'KEY', 1, 'the value') AS again;
SELECT open(:a, 'KEY', 1, s), open(:b, 'KEY', 1, s) IS NULL AS tenant, open(:a, 'KEX', 1, s) IS NULL AS name, open(:a, 'KE', 1, s) IS NULL AS shorter, open(:a, 'KEY1', 1, s) IS NULL AS longer, open(:a, 'KEY', 2, s) IS NULL AS version, s[1] <> again[1] AS nonce, s[2] <> again[2] AS ciphertext, open(:a, 'KEY', 1, ARRAY[again[1], s[2]]) IS NULL AS mixed FROM sealed;
SELECT length(s[1]), length(s[2]), position('value'::bytea in s[2]) FROM sealed;
SELECT open(:a, 'KEY', 1, seal(:a, 'KEY', 1, '')) = '' AS empty, open(:a, 'KEY', 1, seal(:a, 'KEY', 1, repeat('é', 32768))) = repeat('é', 32768) AS long;
SELECT master_key('\xff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
SELECT open(:a, 'KEY', 1, s) IS NULL AS other_key FROM sealed;

-- markers
\set n '''0123456789abcdef0123456789abcdef'''
\set m '''fedcba9876543210fedcba9876543210'''
SELECT encode(convert_to(marker(:n, 'KEY'), 'UTF8'), 'escape');
SELECT fill('a ' || marker(:n, 'A') || marker(:n, 'B') || ' b', :n, '{A,B}', '{one,"two {{ $secrets.A }}"}', 0);
SELECT fill('', :n, '{A}', '{one}', 0), fill('nothing', :n, '{A}', '{one}', 0), fill(marker(:n, 'A'), :n, '{A}', '{""}', 0);
-- of another nonce, of an unknown name, torn, or with what is no name: data
SELECT fill(marker(:m, 'A') || '|' || marker(:n, 'X') || '|' || marker(:n, 'A'), :n, '{A}', '{one}', 0) = 'X A -> ' || marker(:m, 'A') || '|' || marker(:n, 'X') || '|one';
SELECT fill(left(marker(:n, 'A'), -1), :n, '{A}', '{one}', 0) = '-> ' || left(marker(:n, 'A'), -1), fill(left(marker(:n, 'A'), -1) || marker(:n, 'A'), :n, '{A}', '{one}', 0) = 'A -> ' || left(marker(:n, 'A'), -1) || 'one', fill(marker(:n, 'A b') || marker(:n, '') || marker(:n, '1') || marker(:n, repeat('a', 129)), :n, '{A}', '{one}', 0) LIKE '-> %';
SELECT fill(marker('', 'A') || marker(:n, 'A'), '', '{A}', '{one}', 0) = '-> ' || marker('', 'A') || marker(:n, 'A'), fill(marker(:n, 'A'), upper(:n), '{A}', '{one}', 0) = '-> ' || marker(:n, 'A');
-- a value that holds a marker is not looked into
SELECT fill(marker(:n, 'A'), :n, '{A,B}', ARRAY[marker(:n, 'B'), 'two'], 0) = 'A -> ' || marker(:n, 'B');
-- within JSON, and in an address
SELECT fill(jsonb_build_object('k', 'x' || marker(:n, 'A'))::text, :n, '{A}', ARRAY[E'"quoted" \\ \n\t\x01 é/'], 1);
SELECT (split_part(fill(jsonb_build_object('k', marker(:n, 'A'))::text, :n, '{A}', ARRAY[E'"quoted" \\ \n\t\x01 é/'], 1), '-> ', 2)::jsonb ->> 'k') = E'"quoted" \\ \n\t\x01 é/';
SELECT fill('https://h/?k=' || marker(:n, 'A'), :n, '{A}', ARRAY['a b&c=d/é~._-%'], 2);
SELECT wiped(1), wiped(100), wiped(100000);
