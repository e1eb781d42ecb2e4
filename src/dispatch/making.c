/*
 * making.c: what every part of a request needs: texts with their secrets in them, headers, limits, the partition.
 *
 * 1. A marker counts when it has the request's own nonce and a name that the request lists in "secrets"; any other is data
 *    and stays. One that counts and has no value is WF013.
 * 2. A value is whatever somebody has stored. Where it could end a header, an address or a credential it is looked at again
 *    after it was put in; messages name the member of the request and nothing of the value.
 * 3. Texts are those of a database in UTF8, which is what is sent. Expressions need one as well.
 */
#include "postgres.h"

#include <limits.h>

#include "base/crypt.h"
#include "base/settings.h"
#include "base/text.h"
#include "dispatch/making.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

/* Redirects that are followed unless the request says. */
#define MOST_REDIRECTS 10
#define LEAST_MOST_BYTES ((size_t) 64 * 1024 * 1024)

bool
wf_making_fail(WfMaking *m, int sqlstate, const char *fmt, ...)
{
	StringInfoData message;

	initStringInfo(&message);
	WF_APPEND_ARGS(&message, fmt);
	m->problem = wf_error_make(sqlstate, NULL, "%s", message.data);
	return false;
}

size_t
wf_making_most_bytes(void)
{
	return Max(LEAST_MOST_BYTES, (size_t) wf_setting_max_output_size * 1024);
}

bool
wf_making_too_large(WfMaking *m)
{
	return wf_making_fail(m, WF_ERRCODE_LIMIT_EXCEEDED, "request is larger than the limit of %zu bytes when it is sent", wf_making_most_bytes());
}

/* -- secrets -- */

char *
wf_making_nonce(const JsonbValue *request)
{
	char	   *nonce = wf_json_get_cstring(request, "nonce");

	return nonce != NULL && wf_marker_is_nonce(nonce) ? nonce : NULL;
}

static char *
value_of(const WfCompose *in, const char *name, int *len)
{
	for (int i = 0; i < in->n_secrets; i++)
	{
		*len = in->secrets[i].len;
		if (strcmp(in->secrets[i].name, name) == 0)
			return in->secrets[i].value;
	}
	return NULL;
}

/* The values of those names that the request lists. */
static void
take_values(WfMaking *m)
{
	JsonbValue	names;
	JsonbValue	name;

	if (m->nonce == NULL || !wf_json_field(m->request, "secrets", &names) || !wf_json_is_array(&names))
		return;
	m->values = palloc0(sizeof(WfSecretValue) * (wf_json_count(&names) + 1));
	for (uint32 i = 0; wf_json_element(&names, i, &name); i++)
	{
		WfSecretValue *value = &m->values[m->n_values];

		if (!wf_json_is_string(&name))
			continue;
		value->name = wf_json_cstring(&name);
		value->value = value_of(m->in, value->name, &value->len);
		m->n_values++;
	}
}

bool
wf_making_begin(WfMaking *m, const WfCompose *in, WfNetRequest *out)
{
	memset(m, 0, sizeof(*m));
	memset(out, 0, sizeof(*out));
	m->in = in;
	m->request = in->request;
	m->out = out;
	m->nonce = wf_making_nonce(in->request);
	m->credential = wf_buffer_make(256);
	take_values(m);
	if (GetDatabaseEncoding() != PG_UTF8)
		return wf_making_fail(m, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "requests need a database with the encoding UTF8");
	return true;
}

/* The listed secret of this name; NULL when it is not listed. */
static const WfSecretValue *
listed(const WfMaking *m, const char *name)
{
	for (int i = 0; i < m->n_values; i++)
		if (strcmp(m->values[i].name, name) == 0)
			return &m->values[i];
	return NULL;
}

bool
wf_making_fill(WfMaking *m, const char *text, size_t bytes, WfMarkerStyle style, WfText *out)
{
	List	   *names = m->nonce == NULL ? NIL : wf_marker_names(NIL, text, bytes, m->nonce);
	ListCell   *cell;
	int			filled_bytes = bytes;

	out->data = text;
	out->bytes = bytes;
	out->is_secret = false;
	foreach(cell, names)
	{
		const WfSecretValue *value = listed(m, lfirst(cell));

		if (value != NULL && value->value == NULL)
			return wf_making_fail(m, WF_ERRCODE_SECRET_MISSING, "secret \"%s\" does not exist", value->name);
		out->is_secret |= value != NULL;
	}
	if (out->is_secret)
	{
		m->filled_bytes += wf_marker_filled_bytes(text, bytes, m->nonce, m->values, m->n_values, style);
		if (m->filled_bytes > wf_making_most_bytes())
			return wf_making_too_large(m);
		out->data = wf_marker_fill(text, bytes, m->nonce, m->values, m->n_values, style, &filled_bytes);
		out->bytes = filled_bytes;
	}
	return true;
}

bool
wf_making_text(WfMaking *m, const char *where, const JsonbValue *value, WfText *out)
{
	char	   *text = wf_json_cstring(value);

	if (text == NULL)
		return wf_making_wrong(m, "\"%s\" must be a string, not %s", where, wf_json_type_name(value));
	return wf_making_fill(m, text, value->val.string.len, WF_MARKER_PLAIN, out);
}

bool
wf_making_has_control(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (((unsigned char) text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
			return true;
	return false;
}

bool
wf_making_line(WfMaking *m, const char *where, const JsonbValue *value, WfText *out)
{
	if (!wf_making_text(m, where, value, out))
		return false;
	if (wf_making_has_control(out->data, out->bytes))
		return wf_making_wrong(m, "\"%s\" holds a line feed or another control character", where);
	return true;
}

bool
wf_making_member(WfMaking *m, const JsonbValue *object, const char *object_name, const char *key, bool required, WfText *out)
{
	const char *where = psprintf("%s.%s", object_name, key);
	JsonbValue	value;

	memset(out, 0, sizeof(*out));
	if (wf_json_field(object, key, &value) && value.type != jbvNull)
		return wf_making_line(m, where, &value, out);
	return !required || wf_making_wrong(m, "\"%s\" is missing", where);
}

bool
wf_making_is_marked(const char *text, const char *nonce)
{
	return nonce != NULL && wf_marker_names(NIL, text, strlen(text), nonce) != NIL;
}

char *
wf_making_masked(const char *text, const char *nonce)
{
	List	   *names = nonce == NULL ? NIL : wf_marker_names(NIL, text, strlen(text), nonce);
	WfSecretValue *values = palloc0(sizeof(WfSecretValue) * (list_length(names) + 1));
	ListCell   *cell;
	int			n = 0;
	int			bytes;

	if (names == NIL)
		return pstrdup(text);
	foreach(cell, names)
	{
		values[n].name = lfirst(cell);
		values[n].value = pstrdup("***");
		values[n++].len = 3;
	}
	return pstrdup(wf_marker_fill(text, strlen(text), nonce, values, n, WF_MARKER_PLAIN, &bytes));
}

/* -- headers -- */

void
wf_making_add_header(WfMaking *m, const char *name, const char *value, bool is_secret)
{
	WfNetHeader *bigger;

	if (m->out->n_headers == m->headers_size)
	{
		m->headers_size = Max(m->headers_size * 2, 16);
		bigger = palloc0(sizeof(WfNetHeader) * m->headers_size);
		if (m->out->n_headers > 0)
			memcpy(bigger, m->headers, sizeof(WfNetHeader) * m->out->n_headers);
		m->headers = bigger;
		m->out->headers = bigger;
	}
	m->headers[m->out->n_headers].name = name;
	m->headers[m->out->n_headers].value = value;
	m->headers[m->out->n_headers++].secret = is_secret;
}

bool
wf_making_has_header(const WfMaking *m, const char *name)
{
	for (int i = 0; i < m->out->n_headers; i++)
		if (pg_strcasecmp(m->headers[i].name, name) == 0)
			return true;
	return false;
}

/* -- who is asking -- */

void
wf_making_add_credential(WfMaking *m, const char *text)
{
	/* with its length, so that no two lists of texts are the same bytes */
	wf_buffer_put_text(m->credential, psprintf("%zu:", strlen(text)));
	wf_buffer_put_text(m->credential, text);
}

char *
wf_making_uuid(const pg_uuid_t *uuid)
{
	const unsigned char *d = uuid->data;

	return psprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0], d[1], d[2], d[3], d[4], d[5],
					d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14], d[15]);
}

char *
wf_making_sha256(const void *data, size_t bytes)
{
	uint8		hash[WF_CRYPT_HASH_BYTES];

	return wf_crypt_sha256(data, bytes, hash) ? wf_text_hex(hash, sizeof(hash)) : NULL;
}

bool
wf_making_partition(WfMaking *m)
{
	char	   *tenant = wf_making_uuid(&m->in->tenant_id);
	char	   *digest;

	m->out->partition = tenant;
	m->out->holder = tenant;
	if (m->credential->bytes == 0)
		return true;
	digest = wf_making_sha256(m->credential->data, m->credential->bytes);
	if (digest == NULL || m->credential->overflown)
		return wf_making_fail(m, ERRCODE_INTERNAL_ERROR, "could not compute a digest");
	m->out->partition = psprintf("%s %s", tenant, digest);
	return true;
}

/* -- limits -- */

int
wf_making_int(const JsonbValue *object, const char *key, int otherwise)
{
	JsonbValue	value;
	int64		number;

	if (!wf_json_field(object, key, &value) || !wf_json_int64(&value, &number))
		return otherwise;
	return (int) Max(Min(number, INT_MAX), 0);
}

void
wf_making_limits(WfMaking *m)
{
	WfNetRequest *out = m->out;
	int64		most = (int64) wf_setting_http_max_response_size * 1024;
	JsonbValue	value;
	int64		wanted;

	out->total_timeout_ms = wf_making_int(m->request, "timeoutMs", wf_setting_http_timeout);
	out->connect_timeout_ms = wf_making_int(m->request, "connectTimeoutMs", 0);
	if (wf_json_field(m->request, "lowSpeed", &value))
	{
		out->low_speed_bytes = wf_making_int(&value, "bytes", 0);
		out->low_speed_ms = wf_making_int(&value, "ms", 0);
	}
	/* who gets a webhook must not pass it on: Standard Webhooks */
	out->max_redirects = wf_making_int(m->request, "maxRedirects", wf_json_field(m->request, "sign", &value) ? 0 : MOST_REDIRECTS);
	if (wf_json_field(m->request, "maxResponseBytes", &value) && wf_json_int64(&value, &wanted) && wanted >= 1)
		most = Min(most, wanted);
	out->max_response_bytes = most;
	if (wf_setting_http_ca_file[0] != '\0')
		out->ca_file = pstrdup(wf_setting_http_ca_file);
}
