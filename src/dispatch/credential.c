/*
 * credential.c: the secrets of a request, and a credential that it names, when it is claimed.
 *
 * What the request says of a credential is its name. Here it becomes the `auth` (of mail: the `relay`) that it stands for, as if
 * the definition had it there: fields that are no secret as they are, the others as markers CREDENTIAL.field, whose values come
 * with those of the secrets. So all that follows knows no credentials.
 */
#include "postgres.h"

#include "base/credential.h"
#include "base/secret.h"
#include "dispatch/flight.h"
#include "store/secret.h"

typedef struct Resolving
{
	const JsonbValue *request;
	char		nonce[WF_MARKER_NONCE_CHARS + 1];
	WfSecretValue *values;
	int			n_values;
} Resolving;

/* -- what the request names -- */

static WfError *
open_named(Resolving *r, const pg_uuid_t *tenant_id)
{
	JsonbValue	names;
	JsonbValue	name;
	const char **list;
	int			n;
	WfError    *problem;

	if (!wf_json_field(r->request, "secrets", &names) || wf_json_count(&names) == 0)
		return NULL;
	n = wf_json_count(&names);
	list = palloc(sizeof(char *) * n);
	for (int i = 0; i < n; i++)
	{
		(void) wf_json_element(&names, i, &name);
		list[i] = wf_json_is_string(&name) ? wf_json_cstring(&name) : "";
	}
	problem = wf_store_open_secrets(tenant_id, list, n, &r->values);
	r->n_values = problem == NULL ? n : 0;
	return problem;
}

/* -- a credential -- */

/* What a field that is no secret becomes. */
static void
put_shown(WfJsonWriter *w, const WfPacked *field)
{
	char	   *text = pnstrdup(field->value, field->len);

	if (strcmp(field->field->key, "port") == 0 || strcmp(field->field->key, "lifetime") == 0)
		wf_json_put_field_int64(w, field->field->as, atoi(text));
	else if (strcmp(field->field->key, "claims") == 0)
	{
		wf_json_key(w, field->field->as, strlen(field->field->as));
		wf_json_put_jsonb(w, wf_json_parse(text));
	}
	else if (strcmp(field->field->key, "grant") == 0)
		wf_json_put_field_cstring(w, field->field->as, pg_strncasecmp(text, "refresh", 7) == 0 ? "refreshToken" : "clientCredentials");
	else
		wf_json_put_field_cstring(w, field->field->as, text);
}

/* A marker; its value is added to those of the request. */
static void
put_secret(Resolving *r, WfJsonWriter *w, const WfSecretValue *credential, const WfPacked *field)
{
	WfSecretValue *value = &r->values[r->n_values++];
	char	   *name = psprintf("%s.%s", credential->name, field->field->key);

	value->name = name;
	value->version = credential->version;
	value->len = field->len;
	value->value = wf_secret_alloc(field->len + 1);
	memcpy(value->value, field->value, field->len);
	wf_json_put_field_cstring(w, field->field->as, wf_marker_make(r->nonce, name, strlen(name)));
}

static bool
has_field(const WfCredentialType *type, const WfSecretValue *credential, const char *key)
{
	const char *at = credential->value;
	WfPacked	field;

	while (wf_credential_unpack(type, &at, credential->value + credential->len, &field))
		if (strcmp(field.field->key, key) == 0)
			return true;
	return false;
}

/* `auth` or `relay`; `given` is what the request says beside the name. */
static void
put_auth(Resolving *r, WfJsonWriter *w, const WfCredentialType *type, const WfSecretValue *credential, const JsonbValue *given)
{
	const char *at = credential->value;
	char	   *service = wf_json_get_cstring(given, "service");
	WfPacked	field;

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "type", type->auth_type);
	if (strcmp(type->name, "oauth2") == 0)
	{
		if (!has_field(type, credential, "grant"))
			wf_json_put_field_cstring(w, "grant", "clientCredentials");
		if (!has_field(type, credential, "clientSecret"))
			wf_json_put_field_cstring(w, "clientSecret", "");
	}
	while (wf_credential_unpack(type, &at, credential->value + credential->len, &field))
	{
		if (field.field->is_secret)
			put_secret(r, w, credential, &field);
		else if (service == NULL || strcmp(field.field->key, "service") != 0)
			put_shown(w, &field);
	}
	if (service != NULL && wf_credential_field(type, "service", 7) != NULL)
		wf_json_put_field_cstring(w, "service", service);
	wf_json_end_object(w);
}

static Jsonb *
rewrite(Resolving *r, const WfCredentialType *type, const WfSecretValue *credential, const JsonbValue *given)
{
	static const char *const replaced[] = {"auth", "nonce", "secrets", NULL};
	WfJsonWriter *w = wf_json_writer_begin();
	const char *member = (type->uses & WF_CREDENTIAL_IN_MAIL) != 0 ? "relay" : "auth";

	wf_json_begin_object(w);
	wf_json_put_members(w, r->request, replaced);
	wf_json_key(w, member, strlen(member));
	put_auth(r, w, type, credential, given);
	wf_json_put_field_cstring(w, "nonce", r->nonce);
	wf_json_key(w, "secrets", strlen("secrets"));
	wf_json_begin_array(w);
	for (int i = 0; i < r->n_values; i++)
		wf_json_put_cstring(w, r->values[i].name);
	wf_json_end_array(w);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static WfError *
put_credential(Resolving *r, const pg_uuid_t *tenant_id, const JsonbValue *auth, const char *name, Jsonb **made)
{
	char	   *kind = wf_json_get_cstring(r->request, "kind");
	WfCredentialUse use = kind != NULL && strcmp(kind, "mail") == 0 ? WF_CREDENTIAL_IN_MAIL : WF_CREDENTIAL_IN_REQUEST;
	char	   *nonce = wf_json_get_cstring(r->request, "nonce");
	const WfCredentialType *type;
	WfSecretValue credential;
	WfSecretValue *more;
	WfError    *problem = wf_store_open_credential(tenant_id, name, &type, &credential);
	int			n_fields = 0;

	if (problem != NULL)
		return problem;
	if ((type->uses & use) == 0)
	{
		wf_marker_wipe(&credential, 1);
		return wf_error_make(ERRCODE_INVALID_PARAMETER_VALUE, NULL, "credential \"%s\" is of type \"%s\", which is not for %s", name,
							 type->name, wf_credential_use_name(use));
	}
	if (nonce != NULL && wf_marker_is_nonce(nonce))
		strlcpy(r->nonce, nonce, sizeof(r->nonce));
	else
		wf_marker_make_nonce(r->nonce);
	while (type->fields[n_fields].key != NULL)
		n_fields++;
	more = palloc0(sizeof(WfSecretValue) * (r->n_values + n_fields));
	if (r->n_values > 0)
		memcpy(more, r->values, sizeof(WfSecretValue) * r->n_values);
	r->values = more;
	*made = rewrite(r, type, &credential, auth);
	wf_marker_wipe(&credential, 1);
	return NULL;
}

WfError *
wf_credential_open(const JsonbValue *request, const pg_uuid_t *tenant_id, Jsonb **made, WfSecretValue **secrets, int *n)
{
	Resolving	r = {.request = request};
	WfError    *problem = open_named(&r, tenant_id);
	char	   *name;
	JsonbValue	auth;

	*made = NULL;
	*secrets = NULL;
	*n = 0;
	name = wf_json_field(request, "auth", &auth) ? wf_json_get_cstring(&auth, "credential") : NULL;
	if (problem == NULL && name != NULL)
		problem = put_credential(&r, tenant_id, &auth, name, made);
	if (problem != NULL)
	{
		wf_marker_wipe(r.values, r.n_values);
		return problem;
	}
	*secrets = r.values;
	*n = r.n_values;
	return NULL;
}
