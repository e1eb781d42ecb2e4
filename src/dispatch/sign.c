/*
 * sign.c: signatures of Standard Webhooks.
 *
 * Over "<id>.<seconds>.<body>", with HMAC-SHA256 and each of the secrets. The id is that of the request, the same for every
 * attempt; the time is the attempt's. A key is the bytes behind whsec_ in base64, or those of the text.
 */
#include "postgres.h"

#include "base/crypt.h"
#include "dispatch/making.h"

#define KEY_PREFIX "whsec_"

/* The key's bytes. */
static bool
read_key(WfMaking *m, const char *where, const JsonbValue *value, WfBuffer **key)
{
	WfText		text = {0};

	if (!wf_making_text(m, where, value, &text))
		return false;
	*key = wf_buffer_make(text.bytes);
	if (strncmp(text.data, KEY_PREFIX, strlen(KEY_PREFIX)) != 0)
		wf_buffer_put(*key, text.data, text.bytes);
	else if (!wf_buffer_put_decoded(*key, text.data + strlen(KEY_PREFIX), text.bytes - strlen(KEY_PREFIX)))
		return wf_making_wrong(m, "\"%s\" has no base64 behind \"%s\"", where, KEY_PREFIX);
	if ((*key)->bytes == 0)
		return wf_making_wrong(m, "\"%s\" is empty", where);
	return true;
}

static bool
add_signature(WfMaking *m, const WfBuffer *key, const char *prefix, WfBuffer *out)
{
	uint8		mac[WF_CRYPT_HASH_BYTES];

	if (!wf_crypt_hmac_sha256(key->data, key->bytes, prefix, strlen(prefix), m->out->body == NULL ? "" : m->out->body,
							  m->out->body_bytes, mac))
		return wf_making_fail(m, ERRCODE_INTERNAL_ERROR, "could not sign the request");
	wf_buffer_put_text(out, out->bytes == 0 ? "v1," : " v1,");
	wf_buffer_put_base64(out, (const char *) mac, sizeof(mac), 0);
	return true;
}

bool
wf_compose_signature(WfMaking *m)
{
	char	   *id = wf_making_uuid(&m->in->request_id);
	char	   *seconds = psprintf(INT64_FORMAT, m->in->now_unix_ms / 1000);
	char	   *prefix = psprintf("%s.%s.", id, seconds);
	WfBuffer   *signatures;
	JsonbValue	sign;
	JsonbValue	secrets;
	JsonbValue	secret;
	WfBuffer   *key;

	if (!wf_json_field(m->request, "sign", &sign))
		return true;
	if (m->out->n_parts > 0 || !wf_json_field(&sign, "secrets", &secrets) || wf_json_count(&secrets) == 0)
		return wf_making_wrong(m, "\"sign\" needs secrets, and a body in one part");
	signatures = wf_buffer_make(0);
	for (uint32 i = 0; wf_json_element(&secrets, i, &secret); i++)
		if (!read_key(m, psprintf("secrets[%u]", i), &secret, &key) || !add_signature(m, key, prefix, signatures))
			return false;
	wf_making_add_header(m, "webhook-id", id, false);
	wf_making_add_header(m, "webhook-timestamp", seconds, false);
	wf_making_add_header(m, "webhook-signature", signatures->data, false);
	return true;
}
