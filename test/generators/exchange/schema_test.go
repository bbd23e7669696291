package exchange

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatewright/gatewright/generators/exchange"
)

type object = map[string]any

// TestSchema: docs/model.schema.json is that of the types.
func TestSchema(t *testing.T) {
	defs := object{}
	schema := object{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": exchange.APIVersion, "$defs": defs, "anyOf": []object{
		schemaOf(reflect.TypeFor[exchange.Request](), defs), schemaOf(reflect.TypeFor[exchange.Answer](), defs),
	}}
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../../../docs/model.schema.json", append(text, '\n'))
}

// schemaOf is the schema of a type; structs are in defs.
func schemaOf(t reflect.Type, defs object) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[time.Duration]():
		return object{"type": "integer", "description": "nanoseconds"}
	case t == reflect.TypeFor[[]byte]():
		return object{"type": "string", "contentEncoding": "base64"}
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), defs)
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(t.Elem(), defs)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), defs)}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Struct:
		name := t.String()
		if defs[name] == nil {
			properties, required := object{}, []string{}
			def := object{"type": "object", "properties": properties}
			defs[name] = def
			fields(t, defs, properties, &required)
			def["required"] = required
		}
		return object{"$ref": "#/$defs/" + name}
	}
	return object{"type": "integer"}
}

// fields adds those of a struct, and of those that it embeds.
func fields(t reflect.Type, defs, properties object, required *[]string) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
			continue
		case f.Anonymous && name == "":
			fields(f.Type, defs, properties, required)
			continue
		case name == "":
			name = f.Name
		}
		properties[name] = schemaOf(f.Type, defs)
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
		}
	}
}
