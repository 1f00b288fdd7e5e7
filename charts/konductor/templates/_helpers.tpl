{{- define "konductor.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "konductor.exemptNamespaces" -}}
{{ concat (list "kube-system" .Release.Namespace) .Values.exemptNamespaces | uniq | toJson }}
{{- end }}

{{- define "konductor.args" -}}
{{- range .Values.workloads.imagePullSecrets }}
- --image-pull-secret={{ . }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}
