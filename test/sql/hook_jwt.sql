-- Tokens: the examples of RFC 7515 and RFC 7517, keys of all kinds, claims, and what forgers try.
CREATE EXTENSION workflow;
CREATE EXTENSION pgcrypto;
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE FUNCTION check_hook(auth jsonb, headers jsonb, body bytea, now bigint) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_hook_check' LANGUAGE C STRICT;
-- the claims, or why not
CREATE FUNCTION told(auth jsonb, token text, now bigint DEFAULT 1750000000) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN c ? 'refused' THEN CASE WHEN c ? 'unusable' THEN 'UNUSABLE: ' ELSE 'refused: ' END || (c ->> 'refused') ELSE c ->> 'claims' END FROM check_hook('{"type": "jwt"}' || auth, jsonb_build_object('Authorization', 'Bearer ' || token), '', now) c $$;
CREATE FUNCTION b64url(data bytea) RETURNS text LANGUAGE sql AS $$ SELECT rtrim(translate(encode(data, 'base64'), E'+/\n', '-_'), '=') $$;
CREATE FUNCTION hs256(key bytea, claims text, header text DEFAULT '{"alg":"HS256"}') RETURNS text LANGUAGE sql AS $$
	SELECT i || '.' || b64url(hmac(i::bytea, key, 'sha256')) FROM (SELECT b64url(convert_to(header, 'UTF8')) || '.' || b64url(convert_to(claims, 'UTF8')) AS i) x $$;
CREATE FUNCTION set_of(VARIADIC keys jsonb[]) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('jwks', jsonb_build_object('keys', to_jsonb(keys))) $$;

-- RFC 7515, A.1 to A.3: these expired in 2011
\set a1_key '{"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}'
\set a1 'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
\set a2_key '{"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}'
\set a2 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw'
\set a3_key '{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}'
\set a3 'eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q'
SELECT told('{"algorithm": "HS256"}' || set_of(:'a1_key'), :'a1', 1300819380), told('{"algorithm": "RS256"}' || set_of(:'a2_key'), :'a2', 1300819380), told('{"algorithm": "ES256"}' || set_of(:'a3_key'), :'a3', 1300819380);
SELECT told('{"algorithm": "ES256"}' || set_of(:'a3_key'), :'a3', 1300819380 + 59), told('{"algorithm": "ES256"}' || set_of(:'a3_key'), :'a3', 1300819380 + 60);
SELECT a, told(jsonb_build_object('algorithm', a) || set_of(:'a1_key', :'a2_key', :'a3_key'), t, 1300819380) FROM unnest(ARRAY['HS256', 'RS256', 'ES256', 'none', 'hs256', 'HS512', '']) a, unnest(ARRAY[:'a1', :'a2', :'a3']) t;
-- A.5: a token without a signature
SELECT a, told(jsonb_build_object('algorithm', a) || set_of(:'a1_key', :'a2_key', :'a3_key'), 'eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.' || s, 1300819380) FROM unnest(ARRAY['HS256', 'none']) a, unnest(ARRAY['', 'AA']) s;

-- RFC 7517, A.1: its key of RSA is one for RS256, that of P-256 is for encryption; A.3: secrets, the shorter of which is none
\set a7517 '{"jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "use": "enc", "kid": "1"}, {"kty": "RSA", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}, {"kty": "oct", "alg": "A128KW", "k": "GawgguFyGrWKav7AX4VKUg"}, {"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", "kid": "HMAC key used in JWS spec Appendix A.1 example"}]}}'
SELECT told('{"algorithm": "RS256"}'::jsonb || :'a7517', :'a2', 1300819380), told('{"algorithm": "ES256"}'::jsonb || :'a7517', :'a3', 1300819380), told('{"algorithm": "HS256"}'::jsonb || :'a7517', :'a1', 1300819380);
SELECT k, told('{"algorithm": "HS256"}'::jsonb || :'a7517', hs256('x', '{}', json_build_object('alg', 'HS256', 'kid', k)::text)) FROM unnest(ARRAY['HMAC key used in JWS spec Appendix A.1 example', 'other', '2011-04-29', '']) k;

-- keys made for this test
CREATE TEMP TABLE given (name text, value text);
INSERT INTO given VALUES
	('rsa_pem', '-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlS5R0he7jeCFu/Ch3YbF
pxYghx9FnvFnGML6L6xJ2Si6tL1yDspTEodms2AXLebkKKy6QNwM1E8iJeKg7a9+
m/6ztZsjRC1/7mcJw5Dtwo112vYDBWoTiXFx23EKN5L+DxoHrXaZZlSFyW2tzD7Y
Dbf87azTsl/DACDDsiTPjzmYZ0qqZnG6kYrychcTqagbv8aBshEQbgI+dNpSoDUi
dSIVGoH+XcuNC07FQ8rLM1oR39/fDMDfbbxO22euHwLuToFDari/Z5l8BAkvqHc8
pkap4KfA6zDlY7krorE6+AHwH2y7GGamaZmJy4KrmATxfLZbkkwFl3bCBT3qDc4O
HQIDAQAB
-----END PUBLIC KEY-----
'),
	('rsa_small_pem', '-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC5U83T4FmYlmj2CG9HfVDRYthT
08E7IBPVjG8Jb+CPii4bdIzdqDPxv3GcHKEnT2C8yAVWDPpDBlmCoGEWefZMvYhX
kGGdOmAuodzBVcWj1SJrHoBujoIJuUJIw/nYBlMR5HgauV9U3vd8maVSoCJiIs9j
FW9lIG8S62mFTArurQIDAQAB
-----END PUBLIC KEY-----
'),
	('ec_pem', '-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERW5e6uIjTVUuPDvrbAdkdWk61zPo
d+hG6/CQ8Lbq6KL9D5IEGJAgz0tn5abU9nfj5nd/wVkVyJw8vRFhVgYA+A==
-----END PUBLIC KEY-----
'),
	('ec384_pem', '-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE/mzwahrd+b+p1kPVI28Yz8Cbzc8axxkk
DeOrzvHK4nN21gPjsX+0OMKlyenjV3dTTh41/C1lr+KHZTFEENNU7gtMBGGpdRpL
tUSglWUUv47aEdU7wt+IndpawJPEubaR
-----END PUBLIC KEY-----
'),
	('rsa_private_pem', '-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASC'),
	('rs256', 'eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.kB09v_lI9rtb77zUV4dhfWjP7bv5zkmya9TbbMQz7bk6EoDqYG10WBY6fD_UoJdtah9bK5Da4lCT1XsgdqjyvBJ51KBYyz-6d94z-LlsOjGHdp-sC4CkYvNzmZoDTmD3aiL9XBiJ1-S3ZXdeODbmF7dKUelk6WPTQ1GYrH0bn3XLd0cSMxpCqSss7dogX8ESRlOmxc05fAZsVlg40Km94gs99Dl9tq6OSNB3eOeUTwXvGEbwHJS0qtrKMR6oD8x1LXFdgXiUUYzyFLiG00BLvojumCCE8KXEuSy5A68lnMgw6oZnPl4kuESHCjwS_3zUfTITn9KXyBTz6naqhng3Fg'),
	('rs256_nokid', 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.Dzqfv8jNYLfIgQDxVHsSuRpFTXIklTZUVec222Moqgi0FS11205lS2hoq_TQkibFvCTJ9cahvmNBnsAsO7PSbjD6sNRExd3OpDdSl2LMZCEh7OKK05m1SlA0yjWoaytZZPR-vR74TcOLZeQ1fuoYOn1IPCFVNDeyUw4sU8db-5Vbhb5Tir1AwyFLvwT0eFYC4FLG-56BF82ic_gig8JLiwixMm2fTSpJ3cAGfXP0AxmzlFGSriflVJKS2A5jYEbuYnJ7nrL3FzwTtWzTOjHprXCKsblx69PY0DKOqo57XyGYz2m70xb7WTccWQHIlhLs_g1pL0XyuFv2uzEbH88-wg'),
	('rs_small', 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.lcHE0KvhGC3Te3uvZrKuaqdYW1n8gf1mtciuIauxJ3ZtsI8UR6_unUuzXS_Pu0QSMZuRfVKZ65aa8JgqgNHPd8PFWtzDmyfY6LR07SiM0MNrBvqxXz2_hEXubl1Ripp4g66nH6UmieW3YnMJVhKBnv7UhQTJTJpqIMvY7mKvCHI'),
	('ps_as_rs', 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.QXy4BmnP6CePoF4VYY-DTv-rsBq2e_qOU0mQpaoj-w5w1R7-Zoo7jxbJQnt__oDKYswwNt16M3U_VeW8ZobYcQ_fJKyBk0gEIX0PXu19dcfZRjAxDGNf_AtwVYw653c7yARb3wPVEMtxc96NYmapqgQxfNxFeeEiuKD4oZXATa-LXz4Wx7JNR75IsgK146QWZi8DXeXO2YaEfccq3piW8zvwmG42aHudbx2I3GUIuWi_VT8d2fyM3gxPUR82qQxAscK1aKIvWXi26kP4w_61-rVpGSLovZBM3FEP5D-kEwrfnyGFxCqdJWLlXwJ6jh8dtTBfVsnUz4U_X0u7ay5LRA'),
	('ps256', 'eyJhbGciOiJQUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.EpBwwd6ERyf7lORtDbdHhAPfKIDh-M5vSqAI5vF4u2EwttzCyPuDN8Londuhk8u_1XKKXtNkdWHt5Di6KwLSyIkbE7OkirEJ-aKm3lvTtx37tOeg2c95cnZy1VzjE1Yn7_Bbc241ZGl2lmCZ5jUeu-fuT6JPcj2FXs0MpjWmgJxEtWymuBqFfMEQb_Jfl0AdPIop6bGIchm7EMViGWykrIWUkbQbwCSwQ7rhWvWRai0J0YAn-45nhmA_B1C97Vn8vjYyDCJC-ffpcDecHrBrXmnd0j3-60nKC_y81YRctxAEhDFfnonWZaI5zYEOyzLSjvsfsyjTEuTsJ8pM051yHA'),
	('es256', 'eyJhbGciOiJFUzI1NiIsImtpZCI6ImsyIn0.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.5O4KkZM0z2VStVUmA9u2Ju9LirdCtqGBYReeac7Bjot36b5I4cqWgq_R4GUW_SPHlHeTPmvQpGdYSBAhz9h7PA'),
	('es_der', 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.MEUCIHlWGvonun9_P0VHqZBo0_bn5ywC_Un6ZPjki9bDUrw3AiEA-mGIobLN3djPNU7DurlQAG7qOJPQzl2JNEZcG6rTYLc'),
	('es_zero', 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'),
	('confused', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.U2-bQH-oQGNgvsHueR3-I35Y2bLHPuzrMDT35mRMayA'),
	('confused_as_rs', 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.hsFUAjxBcSeVqiZlp6HDyH03_E8vU8r5fTXp3XtY59U'),
	('none', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.'),
	('rsa_n', 'lS5R0he7jeCFu_Ch3YbFpxYghx9FnvFnGML6L6xJ2Si6tL1yDspTEodms2AXLebkKKy6QNwM1E8iJeKg7a9-m_6ztZsjRC1_7mcJw5Dtwo112vYDBWoTiXFx23EKN5L-DxoHrXaZZlSFyW2tzD7YDbf87azTsl_DACDDsiTPjzmYZ0qqZnG6kYrychcTqagbv8aBshEQbgI-dNpSoDUidSIVGoH-XcuNC07FQ8rLM1oR39_fDMDfbbxO22euHwLuToFDari_Z5l8BAkvqHc8pkap4KfA6zDlY7krorE6-AHwH2y7GGamaZmJy4KrmATxfLZbkkwFl3bCBT3qDc4OHQ'),
	('ec_x', 'RW5e6uIjTVUuPDvrbAdkdWk61zPod-hG6_CQ8Lbq6KI'),
	('ec_y', '_Q-SBBiQIM9LZ-Wm1PZ34-Z3f8FZFcicPL0RYVYGAPg');
CREATE FUNCTION g(n text) RETURNS text LANGUAGE sql AS $$ SELECT value FROM given WHERE name = n $$;
CREATE FUNCTION rsa_jwk(more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('kty', 'RSA', 'n', g('rsa_n'), 'e', 'AQAB') || more $$;
CREATE FUNCTION ec_jwk(more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('kty', 'EC', 'crv', 'P-256', 'x', g('ec_x'), 'y', g('ec_y')) || more $$;
SELECT name, told(jsonb_build_object('algorithm', 'RS256', 'key', g('rsa_pem')), value) AS rs256, told(jsonb_build_object('algorithm', 'ES256', 'key', g('ec_pem')), value) AS es256, told(jsonb_build_object('algorithm', 'HS256', 'key', g('rsa_pem')), value) AS hs256 FROM given WHERE value LIKE '%.%.%' ORDER BY name;
-- a key of another kind, or too weak, or none at all
SELECT a, k, told(jsonb_build_object('algorithm', a, 'key', g(k)), g(lower(a))) FROM unnest(ARRAY['RS256', 'ES256']) a, unnest(ARRAY['rsa_pem', 'rsa_small_pem', 'ec_pem', 'ec384_pem', 'rsa_private_pem', 'rs256']) k;
SELECT told(jsonb_build_object('algorithm', 'RS256', 'key', k), g('rs256')) FROM unnest(ARRAY[E'\n ' || g('rsa_pem') || E' \r\n', replace(g('rsa_pem'), E'\n', E'\r\n'), replace(g('rsa_pem'), E'\n', ''), replace(g('rsa_pem'), 'PUBLIC', 'RSA PUBLIC'), g('rsa_pem') || g('rsa_pem'), rtrim(g('rsa_pem'), E'-\n'), replace(g('rsa_pem'), 'MIIB', 'MIIC'), '-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----', '-----BEGIN PUBLIC KEY-----!-----END PUBLIC KEY-----', '-----BEGIN PUBLIC KEY-----' || repeat('A', 8000) || '-----END PUBLIC KEY-----', '-----BEGIN PUBLIC KEY-----END PUBLIC KEY-----', 'x']) k;
SELECT told(jsonb_build_object('algorithm', 'RS256', 'keys', jsonb_build_array(k, g('rsa_pem'))), g('rs256')) FROM unnest(ARRAY[g('rsa_pem'), g('ec_pem')]) k;
-- keys in sets: kid, alg, use, key_ops; several; as text
SELECT k, told('{"algorithm": "RS256"}' || set_of(rsa_jwk(k)), g('rs256')) AS kid_k1, told('{"algorithm": "RS256"}' || set_of(rsa_jwk(k)), g('rs256_nokid')) AS no_kid FROM unnest(ARRAY['{}', '{"kid": "k1"}', '{"kid": "k2"}', '{"kid": 1}', '{"kid": "k1", "alg": "RS256", "use": "sig", "key_ops": ["verify"]}', '{"kid": "k1", "alg": "RS512"}', '{"kid": "k1", "alg": null}', '{"kid": "k1", "use": "enc"}', '{"kid": "k1", "key_ops": ["sign"]}', '{"kid": "k1", "key_ops": []}', '{"kid": "k1", "kty": "EC"}', '{"kid": "k1", "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}', '{"kid": "k1", "e": "AQ"}', '{"kid": "k1", "e": "AQAA"}', '{"kid": "k1", "e": ""}', '{"kid": "k1", "e": "AQAAAAAAAAAB"}', '{"kid": "k1", "n": ""}', '{"kid": "k1", "n": "AQAB"}', '{"kid": "k1", "n": 1}', '{"kid": "k1", "n": "!"}']::jsonb[]) k;
SELECT told('{"algorithm": "RS256"}' || set_of(rsa_jwk(jsonb_build_object('kid', 'k1', 'n', n))), g('rs256')) FROM unnest(ARRAY[repeat('_', 1366), repeat('_', 1376), repeat('_', 1380), repeat('_', 4000), 'AA' || g('rsa_n'), g('rsa_n') || '=']) n;
SELECT k, told('{"algorithm": "ES256"}' || set_of(ec_jwk(k)), g('es256')) FROM unnest(ARRAY['{"kid": "k2"}', '{"kid": "k2", "crv": "P-384"}', '{"kid": "k2", "crv": "secp256k1"}', '{"kid": "k2", "x": "AA"}', '{"kid": "k2", "y": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}', '{"kid": "k2", "x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "y": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}', '{"kid": "k2", "x": null}', '{"kid": "k1"}']::jsonb[]) k;
SELECT told('{"algorithm": "RS256"}' || set_of('{"kty": "RSA"}', '1', '"x"', '[]', '{}', rsa_jwk('{"kid": "k0"}'), ec_jwk('{"kid": "k1"}'), rsa_jwk('{"kid": "k1"}')), g('rs256')), told(jsonb_build_object('algorithm', 'RS256', 'jwks', (set_of(rsa_jwk('{"kid": "k1"}')) -> 'jwks')::text), g('rs256'));
SELECT j, told(jsonb_build_object('algorithm', 'RS256', 'jwks', j), g('rs256')) FROM unnest(ARRAY['{}', 'null', '[]', '"x"', '"{}"', '{"keys": {}}', '{"keys": []}', '{"keys": null}']::jsonb[]) j;
SELECT told(jsonb_build_object('algorithm', 'RS256', 'jwks', jsonb_build_object('keys', (SELECT jsonb_agg(rsa_jwk('{"kid": "k1"}')) FROM generate_series(1, n)))), g('rs256')) FROM unnest(ARRAY[32, 33]) n;
SELECT told('{"algorithm": "RS256"}', g('rs256')), told(jsonb_build_object('algorithm', 'RS256', 'key', g('rsa_pem')) || set_of(rsa_jwk()), g('rs256')), told(jsonb_build_object('algorithm', 'RS256', 'key', g('rsa_pem'), 'keys', '[]'::jsonb), g('rs256')), told(jsonb_build_object('key', g('rsa_pem')), g('rs256')), told('{"algorithm": "RS256", "key": null}', g('rs256')), told('{"algorithm": "HS256", "key": "short"}', hs256('short', '{"exp": 2000000000}')), told('{"algorithm": "HS256", "keys": ["0123456789abcdef0123456789abcde"]}', hs256('0123456789abcdef0123456789abcde', '{"exp": 2000000000}'));

-- claims
\set hs '{"algorithm": "HS256", "keys": ["another secret of thirty-two bytes", "0123456789abcdef0123456789abcdef"]}'
CREATE FUNCTION claims(more text, auth jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$ SELECT told('{"algorithm": "HS256", "keys": ["another secret of thirty-two bytes", "0123456789abcdef0123456789abcdef"]}' || auth, hs256('0123456789abcdef0123456789abcdef', more)) $$;
SELECT c, left(claims(c), 100) FROM unnest(ARRAY['{"exp": 1750000001}', '{"exp": 1749999941}', '{"exp": 1749999940.5}', '{"exp": 1749999940}', '{"exp": 1}', '{"exp": -1}', '{"exp": 1e300}', '{"exp": 1e400}', '{"exp": "2000000000"}', '{"exp": null}', '{"exp": true}', '{}',
	'{"exp": 2e9, "nbf": 1750000060}', '{"exp": 2e9, "nbf": 1750000061}', '{"exp": 2e9, "nbf": "x"}', '{"exp": 2e9, "iat": 1750000060}', '{"exp": 2e9, "iat": 1750003600}', '{"exp": 2e9, "iat": []}', '{"exp": 1, "exp": 2e9}', '{"exp": 2e9, "aud": "x"}', '{"exp": 2e9, "aud": []}', '{"exp": 2e9, "aud": null}',
	'[]', '"x"', 'null', '', '{', '{"exp": 2e9} x', '{"exp": 2e9, "a": "\u0000"}']) c;
SELECT a, c, claims(c, a) FROM unnest(ARRAY['{"audience": "me"}', '{"audience": ["us", "me"]}', '{"audience": []}', '{"audience": null}', '{"audience": [1]}', '{"audience": ""}']::jsonb[]) a, unnest(ARRAY['{"exp": 2e9, "aud": "me"}', '{"exp": 2e9, "aud": ["you", "me"]}', '{"exp": 2e9, "aud": "you"}', '{"exp": 2e9, "aud": ["m", "e"]}', '{"exp": 2e9, "aud": []}', '{"exp": 2e9, "aud": {"me": "me"}}', '{"exp": 2e9, "aud": [["me"]]}', '{"exp": 2e9, "aud": "ME"}', '{"exp": 2e9, "aud": 1}', '{"exp": 2e9}']) c;
SELECT a, c, claims(c, a) FROM unnest(ARRAY['{"issuer": "https://i/"}', '{"issuer": null}', '{"issuer": ["https://i/"]}']::jsonb[]) a, unnest(ARRAY['{"exp": 2e9, "iss": "https://i/"}', '{"exp": 2e9, "iss": "https://i"}', '{"exp": 2e9, "iss": ["https://i/"]}', '{"exp": 2e9}']) c;
-- rotated keys
SELECT told(:'hs', hs256(k, '{"exp": 2e9}')) FROM unnest(ARRAY['another secret of thirty-two bytes', '0123456789abcdef0123456789abcdef', '0123456789abcdef0123456789abcdee', '']::bytea[]) k;

-- headers of tokens
SELECT h, told(:'hs', hs256('0123456789abcdef0123456789abcdef', '{"exp": 2e9}', h)) FROM unnest(ARRAY['{"alg": "HS256", "typ": "JWT", "kid": "x", "jku": "https://evil/"}', '{"alg": "hs256"}', '{"alg": "HS256 "}', '{"alg": ["HS256"]}', '{"alg": null}', '{"typ": "JWT"}', '{"alg": "none", "alg": "HS256"}', '{"alg": "HS256", "alg": "none"}', '{"alg": "HS256", "crit": []}', '{"alg": "HS256", "crit": ["exp"]}', '{"alg": "HS256", "b64": false, "crit": ["b64"]}', '{"alg": "HS256", "kid": 1}', '[]', '"HS256"', 'x', '', '{"alg": "HS256"']) h;
-- tokens that are none
SELECT left(replace(t, (SELECT hs256('0123456789abcdef0123456789abcdef', '{"exp": 2e9}')), '<token>'), 60), told(:'hs', t) FROM (SELECT hs256('0123456789abcdef0123456789abcdef', '{"exp": 2e9}') AS good) x, unnest(ARRAY[good, '  ' || good, good || ' ', good || '=', good || '.', good || '.x', '.' || good, good || 'A', left(good, -1), replace(good, '.', '..'), replace(good, '.', ''), split_part(good, '.', 1) || '.' || split_part(good, '.', 2), split_part(good, '.', 1) || '.' || split_part(good, '.', 2) || '.', '..', '.', '', 'a.b.c', 'ü.ü.ü', repeat('A', 20000) || '.A.A', good || repeat('A', 16384)]) t;
SELECT h, check_hook('{"type": "jwt"}'::jsonb || :'hs', h, '', 1750000000) FROM unnest(ARRAY['{}', '{"authorization": "Basic x"}', '{"authorization": "Bearer"}', '{"authorization": "Bearer "}', '{"authorization": "Bearerx"}', '{"authorization": ["Bearer x", "Bearer x"]}', jsonb_build_object('AUTHORIZATION', 'bEARER ' || hs256('0123456789abcdef0123456789abcdef', '{"exp": 2e9}'), 'Idempotency-Key', 'k1')]) h;
