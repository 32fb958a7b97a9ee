"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  // Keys are forgotten with the page, and the document is not sent to anybody to be checked.
  persistAuthorization: false,
  validatorUrl: null,
});
