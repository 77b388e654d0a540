output "state_machine_arn" {
  description = "The state machine, for powertune run --state-machine"
  value       = aws_sfn_state_machine.tuning.arn
}
