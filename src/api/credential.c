/*
 * credential.c: wf_set_credential, wf_drop_credential: secrets with a type.
 *
 * The shape of a value is checked by the JSON Schema of its type; what is wrong is told in words of our own, in which nothing of
 * the value can stand, only names of fields. Rows show the fields that are no secret; all of them are sealed together.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/credential.h"
#include "base/secret.h"
#include "base/smtp_url.h"
#include "base/text.h"
#include "base/wake.h"
#include "executor/spi.h"
#include "schema/schema.h"
#include "store/audit.h"
#include "store/secret.h"
#include "store/store.h"
#include "utils/builtins.h"

#define LEAST_SHARED_KEY_BYTES 32

static void
refuse(const WfCredentialType *type, const char *hint, const char *problem)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("credential of type \"%s\" %s", type->name, problem),
					hint == NULL ? 0 : errhint("%s", hint)));
}

/* -- the shape -- */

/* `It takes "username", "password".` */
static const char *
hint_of(const WfCredentialType *type)
{
	const char *hint = "It takes";

	for (const WfCredentialField *field = type->fields; field->key != NULL; field++)
		hint = psprintf("%s%s \"%s\"", hint, field == type->fields ? "" : ",", field->key);
	return psprintf("%s.", hint);
}

/* What a keyword of the schemas asks for, as the end of a sentence. */
static const char *
wish_of(const char *keyword)
{
	static const struct
	{
		const char *keyword;
		const char *wish;
	}			wishes[] = {
		{"type", "is not of the type that it must have"},
		{"enum", "is none of the words that it may be"},
		{"minLength", "is empty"},
		{"maxLength", "is too long"},
		{"pattern", "holds what it may not hold, such as a line feed, or does not begin as it must"},
		{"minimum", "is too small"},
		{"maximum", "is too large"},
	};

	for (int i = 0; i < lengthof(wishes); i++)
		if (strcmp(wishes[i].keyword, keyword) == 0)
			return wishes[i].wish;
	return "is not as it must be";
}

static void
check_shape(const WfCredentialType *type, const JsonbValue *value)
{
	WfSchemaError problem;
	WfSchema   *schema = wf_schema_compile(wf_json_parse(type->schema), 0, NULL, 0, &problem);
	List	   *errors = NIL;
	const WfSchemaError *error;

	if (schema == NULL)
		elog(ERROR, "schema of credentials of type \"%s\" is invalid: %s", type->name, problem.message);
	if (!wf_json_is_object(value))
		refuse(type, hint_of(type), "must be an object");
	if (wf_schema_validate(schema, value, &errors, 1))
		return;
	error = linitial(errors);
	if (strcmp(error->keyword, "required") == 0 && error->property != NULL)
		refuse(type, hint_of(type), psprintf("needs \"%s\"", error->property));
	if (strcmp(error->keyword, "additionalProperties") == 0 && error->property != NULL)
		refuse(type, hint_of(type), psprintf("takes no \"%s\"", wf_text_clip(error->property)));
	refuse(type, NULL, psprintf("is not valid: \"%s\" %s", error->instance_path[0] == '/' ? error->instance_path + 1 : "", wish_of(error->keyword)));
}

static bool
is_token(const JsonbValue *value)
{
	static const char bytes[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	for (int i = 0; i < value->val.string.len; i++)
		if (value->val.string.val[i] == '\0' || strchr(bytes, value->val.string.val[i]) == NULL)
			return false;
	return true;
}

/* What the schema can not say. */
static void
check_more(const WfCredentialType *type, const JsonbValue *value)
{
	static const char begin[] = "-----BEGIN ";
	const char *in = wf_json_get_cstring(value, "in");
	const char *algorithm = wf_json_get_cstring(value, "algorithm");
	JsonbValue	member;

	if (strcmp(type->name, "apiKey") == 0 && (in == NULL || strcmp(in, "header") == 0) && wf_json_field(value, "name", &member) &&
		!is_token(&member))
		refuse(type, NULL, "is not valid: \"name\" is no name of a header");
	if (wf_json_field(value, "claims", &member) && wf_json_text_exceeds(&member, WF_SECRET_VALUE_BYTES))
		refuse(type, NULL, "is not valid: \"claims\" is too long");
	if (algorithm == NULL || !wf_json_field(value, "key", &member))
		return;
	if (strcmp(algorithm, "HS256") == 0 && member.val.string.len < LEAST_SHARED_KEY_BYTES)
		refuse(type, NULL, psprintf("is not valid: \"key\" must have at least %d bytes for HS256", LEAST_SHARED_KEY_BYTES));
	if (strcmp(algorithm, "HS256") != 0 && (member.val.string.len < strlen(begin) || memcmp(member.val.string.val, begin, strlen(begin)) != 0))
		refuse(type, NULL, "is not valid: \"key\" must be a key in PEM, which begins with -----BEGIN");
}

/* -- mail -- */

/* The fields that an address of a relay stands for; in memory that wipes itself. */
static Jsonb *
relay_of(const WfCredentialType *type, const JsonbValue *value)
{
	JsonbValue	unused;
	char	   *text = wf_json_get_cstring(value, "url");
	bool		has_host = wf_json_field(value, "host", &unused) && unused.type != jbvNull;
	const char *problem;
	WfSmtpUrl	url;
	WfJsonWriter *w;
	Jsonb	   *made;
	Jsonb	   *kept;

	if ((text != NULL) == has_host || (text != NULL && wf_json_count(value) > 1))
		refuse(type, hint_of(type), "needs either \"host\" or \"url\", which says all by itself");
	problem = wf_smtp_url_read(text != NULL ? text : psprintf("smtp://%s", wf_json_get_cstring(value, "host")), &url);
	if (problem != NULL || (text == NULL && (url.has_user || strchr(wf_json_get_cstring(value, "host"), ':') != NULL)))
	{
		explicit_bzero(&url, sizeof(url));
		refuse(type, NULL, text == NULL ? "is not valid: \"host\" is no name of a host" : psprintf("is not valid: \"url\": %s", problem));
	}
	if (text == NULL)
		return NULL;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "host", url.host);
	wf_json_put_field_int64(w, "port", url.port);
	wf_json_put_field_cstring(w, "tls", url.is_tls ? "implicit" : "auto");
	if (url.has_user)
	{
		wf_json_put_field_cstring(w, "username", url.user);
		wf_json_put_field_cstring(w, "password", url.password);
	}
	wf_json_end_object(w);
	made = wf_json_finish(w);
	kept = wf_secret_alloc(VARSIZE(made));
	memcpy(kept, made, VARSIZE(made));
	explicit_bzero(made, VARSIZE(made));
	explicit_bzero(&url, sizeof(url));
	explicit_bzero(text, strlen(text));
	return kept;
}

/* -- setting -- */

/* The fields that are no secret. */
static Jsonb *
shown_fields(const WfCredentialType *type, const JsonbValue *value)
{
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	member;

	wf_json_begin_object(w);
	for (const WfCredentialField *field = type->fields; field->key != NULL; field++)
		if (!field->is_secret && wf_json_field(value, field->key, &member) && member.type != jbvNull)
			wf_json_put_field(w, field->key, &member);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static const WfCredentialType *
type_of(const char *name)
{
	const WfCredentialType *type = wf_credential_type(name);

	if (type == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("there is no type \"%s\" of credentials", wf_text_clip(name)),
						errhint("It is one of %s.", wf_credential_types(~0))));
	return type;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_set_credential);

Datum
wf_sql_set_credential(PG_FUNCTION_ARGS)
{
	const WfCredentialType *type;
	WfTenant	tenant;
	JsonbValue	value;
	Jsonb	   *given;
	Jsonb	   *relay;
	char	   *packed;
	char	   *name;
	char	   *type_name;
	int			len;

	wf_api_hide_statement("SELECT wf_set_credential(...)");
	name = wf_api_text(fcinfo, 0, "name");
	type_name = wf_api_text(fcinfo, 1, "type");
	given = wf_api_jsonb(fcinfo, 2, "value");
	SPI_connect();
	wf_store_require(WF_CREDENTIAL_CREATE, &tenant);
	wf_api_check_secret_name(name, "credential");
	type = type_of(type_name);
	wf_json_root(given, &value);
	check_shape(type, &value);
	check_more(type, &value);
	relay = (type->uses & WF_CREDENTIAL_IN_MAIL) != 0 ? relay_of(type, &value) : NULL;
	if (relay != NULL)
		wf_json_root(relay, &value);
	packed = wf_credential_pack(type, &value, &len);
	if (len > WF_SECRET_VALUE_BYTES)
		refuse(type, NULL, psprintf("must have at most %d bytes", WF_SECRET_VALUE_BYTES));
	wf_store_set_credential(&tenant.tenant_id, name, type, shown_fields(type, &value), packed, len);
	wf_store_audit(&tenant.tenant_id, &(WfAudit) {.action = "credential.set", .object_type = "credential", .object_name = name,
				   .after = wf_store_audit_facts("type", type)});
	explicit_bzero(packed, len);
	wf_wake_dispatcher_at_commit(WF_DISPATCH_SECRETS);
	SPI_finish();
	if (given != (Jsonb *) PG_GETARG_POINTER(2))
		explicit_bzero(given, VARSIZE_ANY(given));	/* a copy that detoasting made */
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_drop_credential);

Datum
wf_sql_drop_credential(PG_FUNCTION_ARGS)
{
	char	   *name = wf_api_text(fcinfo, 0, "name");
	WfTenant	tenant;

	SPI_connect();
	wf_store_require(WF_CREDENTIAL_CREATE, &tenant);
	if (!wf_store_drop_credential(&tenant.tenant_id, name))
		wf_error_raise(wf_store_no_credential(&tenant.tenant_id, name));
	wf_wake_dispatcher_at_commit(WF_DISPATCH_SECRETS);
	wf_store_audit_name(&tenant.tenant_id, "credential.drop", "credential", name);
	SPI_finish();
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_has_master_key);

Datum
wf_sql_has_master_key(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(wf_store_has_master_key(PG_GETARG_BYTEA_PP(0)));
}
